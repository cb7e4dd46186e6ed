package throwaway

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// exposed makes one of everything that leads to a backend.
func exposed(t *testing.T, k *Kit) (*Ingress, *Object) {
	t.Helper()
	service, err := k.Service(t.Context(), "backend", "backend", map[string]Port{"http": {Service: 80, Pod: 8080}})
	if err != nil {
		t.Fatal(err)
	}
	ingress, err := k.Ingress(t.Context(), IngressOptions{Class: "traefik", Host: "x.hub.example", Service: service, Port: "http", TLSSecret: "tls", Annotations: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	route, err := k.Object(t.Context(), HTTPRoutes, "route", map[string]any{"hostnames": []any{"x.hub.example"}})
	if err != nil {
		t.Fatal(err)
	}
	return ingress, route
}

func TestExposedIsMarkedOwnedAndRemoved(t *testing.T) {
	api, client := newAPI(t)
	run := begin(t, client, "r1")
	k, cleanup := kit(run, "2.2.3")
	ingress, route := exposed(t, k)
	services, err := client.Kube.CoreV1().Services(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(services.Items) != 1 {
		t.Fatalf("%v %v", services, err)
	}
	spec := services.Items[0].Spec
	if spec.Selector[LabelRun] != "r1" || spec.Selector[LabelItem] != "2.2.3" || spec.Selector[LabelRole] != "backend" || spec.Ports[0].TargetPort.IntValue() != 8080 {
		t.Errorf("it may select others' pods: %+v", spec)
	}
	for _, meta := range []metav1.Object{&services.Items[0], ingress.last, route.last} {
		owners := meta.GetOwnerReferences()
		if meta.GetLabels()[LabelRun] != "r1" || meta.GetLabels()[LabelManagedBy] != ManagedBy || len(owners) != 1 || owners[0].Kind != "Lease" {
			t.Errorf("%s: %v %v", meta.GetName(), meta.GetLabels(), owners)
		}
	}
	rule := ingress.last.Spec.Rules[0]
	if *ingress.last.Spec.IngressClassName != "traefik" || rule.Host != "x.hub.example" || ingress.last.Spec.TLS[0].SecretName != "tls" ||
		rule.HTTP.Paths[0].Backend.Service.Port.Name != "http" || ingress.last.Annotations["a"] != "b" {
		t.Errorf("%+v", ingress.last)
	}
	if route.last.GetKind() != "HTTPRoute" || route.last.GetAPIVersion() != "gateway.networking.k8s.io/v1" {
		t.Errorf("%v", route.last)
	}
	cleanup(t)
	for _, resource := range []string{"services", "ingresses", "httproutes"} {
		if left := api.names(resource); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestIngressWithoutAPath: the API server takes an empty path only where the controller says what it means.
func TestIngressWithoutAPath(t *testing.T) {
	_, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "2.2.3")
	for _, c := range []struct {
		noPath   bool
		path     string
		pathType networkingv1.PathType
	}{{false, "/", networkingv1.PathTypePrefix}, {true, "", networkingv1.PathTypeImplementationSpecific}} {
		ingress, err := k.Ingress(t.Context(), IngressOptions{Name: strconv.FormatBool(c.noPath), Class: "c", Host: "x.hub.example", Service: "s", Port: "https", NoPath: c.noPath})
		if err != nil {
			t.Fatal(err)
		}
		if got := ingress.last.Spec.Rules[0].HTTP.Paths[0]; got.Path != c.path || *got.PathType != c.pathType || got.Backend.Service.Port.Name != "https" {
			t.Errorf("%t: %+v", c.noPath, got)
		}
	}
}

func TestSweepRemovesWhatIsExposed(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "killed"), "2.2.3")
	exposed(t, k)
	removed, err := Sweep(t.Context(), client, namespace, SweepOptions{RunID: "killed"})
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range []string{"services", "ingresses", "httproutes"} {
		if len(api.names(resource)) > 0 || !slices.ContainsFunc(removed, func(name string) bool { return strings.Contains(name, resource+"/") }) {
			t.Errorf("%s: removed %v, left %v", resource, removed, api.names(resource))
		}
	}
}

func TestAddressesAreWaitedFor(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "2.2.3")
	ingress, _ := exposed(t, k)
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if none, err := ingress.Addresses(short); err != nil || len(none) > 0 {
		t.Errorf("%v %v", none, err)
	}
	go api.change("/apis/networking.k8s.io/v1/namespaces/"+namespace+"/ingresses/"+ingress.Name(), func(object map[string]any) {
		set(object, map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": "10.0.0.1"}, map[string]any{"hostname": "lb.example"}}}})
	})
	got, err := ingress.Addresses(t.Context())
	if err != nil || !slices.Equal(got, []string{"10.0.0.1", "lb.example"}) {
		t.Errorf("%v %v", got, err)
	}
}

func TestObjectsAreFollowed(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "2.2.3")
	_, route := exposed(t, k)
	go api.change("/apis/gateway.networking.k8s.io/v1/namespaces/"+namespace+"/httproutes/"+route.Name(), func(object map[string]any) {
		set(object, map[string]any{"accepted": true})
	})
	content, done, err := route.Until(t.Context(), func(content map[string]any) bool {
		status, _ := content["status"].(map[string]any)
		return status["accepted"] == true
	})
	if err != nil || !done || content["status"] == nil {
		t.Errorf("%v %v %v", content, done, err)
	}
	if _, err := k.Object(t.Context(), schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "x", nil); err == nil {
		t.Error("made an object of a kind that the cleanup does not know")
	}
	api.refuse = func(method, path string) (int, string) {
		if method == "POST" && strings.Contains(path, "ingressroutetcps") {
			return 404, "the server could not find the requested resource"
		}
		return 0, ""
	}
	if _, err := k.Object(t.Context(), IngressRouteTCPs, "x", nil); kubeerr.ReasonOf(err) != kubeerr.NotServed {
		t.Errorf("%v", err)
	}
}

// What nobody has said is not known of an API server that was out of reach when the time ended.
func TestOutOfReachIsNoSilence(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "2.2.3")
	ingress, route := exposed(t, k)
	api.refuse = func(string, string) (int, string) { return 503, "etcd is away" }
	for name, wait := range map[string]func(context.Context) error{
		"route": func(ctx context.Context) error {
			_, _, err := route.Until(ctx, func(map[string]any) bool { return false })
			return err
		},
		"ingress": func(ctx context.Context) error {
			_, err := ingress.Addresses(ctx)
			return err
		},
	} {
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := wait(short)
		cancel()
		if f := finding.As(err); f == nil || !f.Undecided || !strings.Contains(f.Found, "etcd is away") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingIsExposedByAReadOnlyRun(t *testing.T) {
	api, client := newAPI(t)
	run, err := Begin(t.Context(), client, Settings{Namespace: namespace, RunID: "r1", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	k, _ := kit(run, "2.2.3")
	_, first := k.Service(t.Context(), "", "", nil)
	_, second := k.Ingress(t.Context(), IngressOptions{})
	_, third := k.Object(t.Context(), HTTPRoutes, "", nil)
	if first == nil || second == nil || third == nil || len(api.objects) > 0 {
		t.Errorf("%v %v %v: %v", first, second, third, api.objects)
	}
}
