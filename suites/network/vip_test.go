package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/probe"
)

// ends says how a judgement ends: "" for met, "undecided" or "failed".
func ends(err error) string {
	switch f := finding.As(err); {
	case err == nil:
		return ""
	case f != nil && f.Undecided:
		return "undecided"
	}
	return "failed"
}

// expectFinding holds a judgement against how it must end and what it must say.
func expectFinding(t *testing.T, err error, want string, words ...string) {
	t.Helper()
	if got := ends(err); got != want {
		t.Fatalf("it ends as %q, want %q: %v", got, want, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in:\n%v", word, err)
		}
	}
	if f := finding.As(err); f != nil && (f.Expected == "" || f.Found == "" || f.Why == "" || f.Do == "") {
		t.Errorf("it does not say all that a reader needs:\n%v", err)
	}
}

func troubled(kind string) probe.Connection {
	return probe.Connection{Broke: probe.StepTCP, Trouble: &probe.Trouble{Kind: kind, Message: "dial"}}
}

func TestJudgeVIP(t *testing.T) {
	const vip = "10.0.10.20"
	at := func(address string) published {
		return published{{name: "Service ingress/traefik", addresses: []string{address}, entry: true}}
	}
	other := published{{name: "Service db/postgres", addresses: []string{"10.0.10.30"}}}
	for name, c := range map[string]struct {
		connection probe.Connection
		found      published
		want       string
		words      []string
	}{
		"open":                           {probe.Connection{}, at(vip), "", nil},
		"open, not the cluster's":        {probe.Connection{}, at("10.0.10.21"), "", nil},
		"refused":                        {troubled(probe.Refused), at(vip), "failed", []string{"refused", "Service"}},
		"refused, nothing known":         {troubled(probe.Refused), nil, "failed", []string{"refused"}},
		"closed at once":                 {troubled(probe.Reset), nil, "failed", []string{"backends"}},
		"silent, the cluster's":          {troubled(probe.Timeout), at(vip), "undecided", []string{"firewall", "2.3.4.1"}},
		"silent, nothing known":          {troubled(probe.Timeout), nil, "undecided", []string{"2.3.4.1"}},
		"no route, another one's":        {troubled(probe.NoRoute), at("10.0.10.21"), "undecided", []string{"Service ingress/traefik 10.0.10.21", "outside the cluster"}},
		"silent, another one's":          {troubled(probe.Timeout), at("10.0.10.21"), "undecided", []string{"Service ingress/traefik 10.0.10.21", "2.3.4.1"}},
		"refused, another one's":         {troubled(probe.Refused), at("10.0.10.21"), "failed", []string{"Service ingress/traefik 10.0.10.21", "correct ingress.vip"}},
		"closed at once, another one's":  {troubled(probe.Reset), at("10.0.10.21"), "failed", []string{"correct ingress.vip"}},
		"silent, other Services only":    {troubled(probe.Timeout), other, "undecided", nil},
		"refused, other Services' words": {troubled(probe.Refused), other, "failed", []string{"ingress controller"}},
	} {
		t.Run(name, func(t *testing.T) {
			expectFinding(t, judgeVIP(vip, c.connection, c.found), c.want, c.words...)
		})
	}
}

func TestFindPublished(t *testing.T) {
	service := func(namespace, name string, port int32, addresses ...string) *corev1.Service {
		s := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: port}}},
		}
		for _, address := range addresses {
			s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: address})
		}
		return s
	}
	labelled := service("edge", "public", 443, "10.0.0.4")
	labelled.Labels = map[string]string{"app.kubernetes.io/name": "haproxy-ingress"}
	ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "hub", Name: "wiki"}}
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "10.0.0.1"}, {Hostname: "lb.example"}}
	client := fake.NewClientset(
		service("ingress-nginx", "controller", 443, "10.0.0.1", "fd00::1"),
		service("ingress-nginx", "pending", 443),
		service("ingress-nginx", "plain", 80, "10.0.0.2"),
		service("db", "postgres", 5432, "10.0.0.3"),
		service("shop", "web", 443, "10.0.0.5"),
		labelled, ingress)
	found, err := findPublished(t.Context(), check.Target{Client: client, Namespace: "hub"})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"10.0.0.1": true, "FD00:0::1": true, "10.0.0.3": true, "10.0.0.9": false, "": false} {
		if found.has(address) != want {
			t.Errorf("%q is published: %t", address, !want)
		}
	}
	const want = "Ingress wiki 10.0.0.1; Service edge/public 10.0.0.4; Service ingress-nginx/controller 10.0.0.1, fd00::1"
	if got := found.addresses(); got != want {
		t.Errorf("the ingress is at %s, want %s", got, want)
	}
}

// TestWithoutTheRight: what may not be read is said, and the rest is used.
func TestWithoutTheRight(t *testing.T) {
	ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "hub", Name: "wiki"}}
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "10.0.0.1"}}
	client := fake.NewClientset(ingress)
	client.PrependReactor("list", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "",
			errors.New(`User "runner" cannot list resource "services" in API group "" at the cluster scope`))
	})
	found, err := findPublished(t.Context(), check.Target{Client: client, Namespace: "hub"})
	if kubeerr.ReasonOf(err) != kubeerr.MissingRight || !found.has("10.0.0.1") {
		t.Fatalf("found %v, error %v", found, err)
	}
	if words := found.words(err); !strings.Contains(words, "runner may not list services") {
		t.Errorf("the evidence says %q", words)
	}
	if words := (published{}).words(nil); !strings.Contains(words, "outside the cluster") {
		t.Errorf("the evidence says %q", words)
	}
}

// TestSilentGateways: many that do not answer take no longer than one.
func TestSilentGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent []string
		for i := range 100 {
			silent = append(silent, fmt.Sprint("10.0.1.", i))
		}
		shown := func(ctx context.Context, address string) string {
			if !slices.Contains(silent, address) {
				return "of " + address[:len("10.0.0")]
			}
			ctx, cancel := context.WithTimeout(ctx, doorLimit)
			defer cancel()
			<-ctx.Done()
			return ""
		}
		began := time.Now()
		for name, c := range map[string]struct {
			vip, last string
			want      bool
		}{
			"the same":        {"10.0.0.1", "10.0.0.2", true},
			"another's":       {"10.0.0.1", "10.0.9.1", false},
			"all are silent":  {"10.0.0.1", "10.0.1.1", false},
			"the VIP as well": {"10.0.1.1", "10.0.1.2", false},
		} {
			if got := showSame(t.Context(), c.vip, append(slices.Clone(silent), c.last), shown); got != c.want {
				t.Errorf("%s: %t", name, got)
			}
		}
		if took := time.Since(began); took > 4*compareLimit {
			t.Errorf("four comparisons took %s", took)
		}
	})
}

// TestOutcome connects for real.
func TestOutcome(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if got := outcome(probe.TCP(t.Context(), address, probe.ConnectOptions{})); !strings.Contains(got, "accepts connections") {
		t.Error(got)
	}
	listener.Close()
	if got := outcome(probe.TCP(context.Background(), address, probe.ConnectOptions{})); !strings.Contains(got, "refused") {
		t.Error(got)
	}
}
