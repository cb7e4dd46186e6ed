//go:build lab

package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/cmd/lab/controlplane"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// The cases run on the lab, which must be up: what Kubernetes' own tests of network policies
// ask of a network plugin, as far as it concerns TCP and UDP over IPv4.

const (
	red, blue = "policy-test-red", "policy-test-blue"
	// obeyed is how long the agent may take: it takes well under a second, the machine may be busy.
	obeyed = 10 * time.Second
	// tryTime bounds one connection.
	tryTime = time.Second
)

// The pods of the cases, "namespace/name"; each answers on 8080 ("http") and 8081 ("admin").
const (
	web    = red + "/web"
	friend = red + "/friend"
	other  = red + "/other"
	abroad = blue + "/friend"
)

var everybody = []string{friend, other, abroad}

// policyCase is one policy, or more, and who then reaches web.
type policyCase struct {
	name     string
	policies []networkingv1.NetworkPolicySpec
	// reaches are who reaches port 8080 of web, admin who reaches 8081.
	reaches, admin []string
	// out are whom web reaches at 8080; nil: all.
	out []string
	// dns: web finds names; unset: not tried, because a name that is not found takes 15 seconds.
	dns *bool
}

func only(labels map[string]string, in []networkingv1.NetworkPolicyIngressRule, out []networkingv1.NetworkPolicyEgressRule) networkingv1.NetworkPolicySpec {
	return policyFor(labels, in, out).Spec
}

func tcp(n int32) port { return number(corev1.ProtocolTCP, n) }

func cases(addresses map[string]string) []policyCase {
	webs := map[string]string{"app": "web"}
	friends := []peer{{PodSelector: labelled("app", "friend")}}
	dns := []port{number(corev1.ProtocolUDP, 53), number(corev1.ProtocolTCP, 53)}
	block := func(except ...string) *networkingv1.IPBlock {
		return &networkingv1.IPBlock{CIDR: topology.PodCIDR, Except: except}
	}
	all := everybody
	return []policyCase{
		{name: "without a policy everything passes", reaches: all, admin: all, dns: ptr.To(true)},
		{name: "default deny of what comes in", policies: []networkingv1.NetworkPolicySpec{only(nil, []in{}, nil)}, out: []string{abroad}, dns: ptr.To(true)},
		{name: "default deny of what goes out", policies: []networkingv1.NetworkPolicySpec{only(webs, nil, []out{})}, reaches: all, admin: all, out: []string{}, dns: ptr.To(false)},
		{name: "default deny both ways", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{}, []out{})}, out: []string{}},
		{name: "a policy for other pods", policies: []networkingv1.NetworkPolicySpec{only(map[string]string{"app": "nobody"}, []in{}, []out{})}, reaches: all, admin: all},
		{name: "allow all beside deny all", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{}, nil), only(webs, []in{{}}, nil)}, reaches: all, admin: all},
		{name: "by the label of pods", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: friends}}, nil)}, reaches: []string{friend}, admin: []string{friend}},
		{name: "by an expression over labels", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: []peer{{PodSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"friend"}}}}}}}}, nil)}, reaches: []string{other}, admin: []string{other}},
		{name: "by the label of a namespace", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: []peer{{NamespaceSelector: labelled("team", "blue")}}}}, nil)}, reaches: []string{abroad}, admin: []string{abroad}},
		{name: "by the name of a namespace", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: []peer{{NamespaceSelector: labelled(corev1.LabelMetadataName, blue)}}}}, nil)}, reaches: []string{abroad}, admin: []string{abroad}},
		{name: "by both labels at once", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: []peer{{NamespaceSelector: labelled("team", "red"), PodSelector: labelled("app", "friend")}}}}, nil)}, reaches: []string{friend}, admin: []string{friend}},
		{name: "by either label", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: []peer{{NamespaceSelector: labelled("team", "blue")}, {PodSelector: labelled("app", "other")}}}}, nil)}, reaches: []string{other, abroad}, admin: []string{other, abroad}},
		{name: "by address but for a part", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: []peer{{IPBlock: block(addresses[friend] + "/32")}}}}, nil)}, reaches: []string{other, abroad}, admin: []string{other, abroad}},
		{name: "by port", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{Ports: []port{tcp(8080)}}}, nil)}, reaches: all},
		{name: "by another protocol's port", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{Ports: []port{number(corev1.ProtocolUDP, 8080)}}}, nil)}},
		{name: "by a port's name", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{Ports: []port{{Port: ptr.To(intstr.FromString("admin"))}}}}, nil)}, admin: all},
		{name: "by a range of ports", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{Ports: []port{{Port: ptr.To(intstr.FromInt32(8081)), EndPort: ptr.To(int32(8090))}}}}, nil)}, admin: all},
		{name: "by port and label", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: friends, Ports: []port{tcp(8081)}}}, nil)}, admin: []string{friend}},
		{name: "policies that overlap", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: friends, Ports: []port{tcp(8080)}}}, nil),
			only(webs, []in{{From: []peer{{NamespaceSelector: labelled("team", "blue")}}, Ports: []port{tcp(8081)}}}, nil)}, reaches: []string{friend}, admin: []string{abroad}},
		{name: "out to pods by label", policies: []networkingv1.NetworkPolicySpec{only(webs, nil, []out{{To: friends}})}, reaches: all, admin: all, out: []string{friend}},
		{name: "out to a namespace", policies: []networkingv1.NetworkPolicySpec{only(webs, nil, []out{{To: []peer{{NamespaceSelector: labelled("team", "blue")}}}})}, reaches: all, admin: all, out: []string{abroad}},
		{name: "out to addresses but for a part", policies: []networkingv1.NetworkPolicySpec{only(webs, nil, []out{{To: []peer{{IPBlock: block(addresses[other] + "/32")}}}})}, reaches: all, admin: all, out: []string{friend, abroad}},
		{name: "out to a port's name", policies: []networkingv1.NetworkPolicySpec{only(webs, nil, []out{{To: friends, Ports: []port{{Port: ptr.To(intstr.FromString("http"))}}}})}, reaches: all, admin: all, out: []string{friend}},
		{name: "out to DNS only", policies: []networkingv1.NetworkPolicySpec{only(webs, nil, []out{{Ports: dns, To: []peer{{NamespaceSelector: labelled(corev1.LabelMetadataName, metav1.NamespaceSystem)}}}})}, reaches: all, admin: all, out: []string{}, dns: ptr.To(true)},
		{name: "answers pass where nothing may go out", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{From: friends}}, []out{})}, reaches: []string{friend}, admin: []string{friend}, out: []string{}},
		{name: "the other end's policy counts as well", policies: []networkingv1.NetworkPolicySpec{only(webs, []in{{}}, nil), only(map[string]string{"app": "friend"}, nil, []out{})}, reaches: []string{other, abroad}, admin: []string{other, abroad}},
	}
}

func TestPolicyCases(t *testing.T) {
	f := newFixture(t)
	for _, test := range cases(f.addresses) {
		t.Run(test.name, func(t *testing.T) {
			for i, spec := range test.policies {
				f.apply(t, fmt.Sprintf("case-%d", i), spec)
			}
			f.expect(t, test)
		})
	}
}

// What is changed and deleted is obeyed as well, and labels count as they are now.
func TestPolicyChanges(t *testing.T) {
	f := newFixture(t)
	webs := map[string]string{"app": "web"}
	allow := func(selector *metav1.LabelSelector) networkingv1.NetworkPolicySpec {
		return only(webs, []in{{From: []peer{{PodSelector: selector}}}}, nil)
	}
	name := f.apply(t, "changes", allow(labelled("app", "friend")))
	f.expect(t, policyCase{reaches: []string{friend}, admin: []string{friend}})
	f.update(t, name, allow(labelled("app", "other")))
	f.expect(t, policyCase{reaches: []string{other}, admin: []string{other}})
	f.label(t, friend, "other")
	f.expect(t, policyCase{reaches: []string{friend, other}, admin: []string{friend, other}})
	f.label(t, friend, "friend")
	f.expect(t, policyCase{reaches: []string{other}, admin: []string{other}})
	f.label(t, web, "nothing")
	f.expect(t, policyCase{reaches: everybody, admin: everybody})
	f.label(t, web, "web")
	f.expect(t, policyCase{reaches: []string{other}, admin: []string{other}})
	if err := f.client.NetworkingV1().NetworkPolicies(red).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.expect(t, policyCase{reaches: everybody, admin: everybody})
}

// fixture is the pods of the cases.
type fixture struct {
	config    *rest.Config
	client    kubernetes.Interface
	addresses map[string]string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := state.Dir(filepath.Join(root, ".lab"))
	if other := os.Getenv(state.EnvironmentVariable); other != "" {
		dir = state.Dir(other)
	}
	f := &fixture{addresses: map[string]string{}}
	if f.config, err = controlplane.AdminConfig(dir); err != nil {
		t.Fatal(err)
	}
	if f.client, err = kubernetes.NewForConfig(f.config); err != nil {
		t.Fatal(err)
	}
	secret, err := f.client.CoreV1().Secrets(topology.Namespace).Get(t.Context(), topology.PullSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for namespace, team := range map[string]string{red: "red", blue: "blue"} {
		f.namespace(t, namespace, team, secret)
	}
	for i, pod := range append([]string{web}, everybody...) {
		f.run(t, pod, topology.Nodes()[i%2].Name)
	}
	for _, pod := range append([]string{web}, everybody...) {
		f.await(t, pod)
	}
	return f
}

func (f *fixture) namespace(t *testing.T, name, team string, secret *corev1.Secret) {
	t.Helper()
	namespaces := f.client.CoreV1().Namespaces()
	eventuallyNoError(t, func() error {
		_, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}, metav1.CreateOptions{})
		return err
	})
	t.Cleanup(func() {
		if err := namespaces.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	copied := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret.Name}, Type: secret.Type, Data: secret.Data}
	if _, err := f.client.CoreV1().Secrets(name).Create(t.Context(), copied, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) run(t *testing.T, pod, node string) {
	t.Helper()
	namespace, name, _ := strings.Cut(pod, "/")
	_, err := f.client.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeSelector:                 map[string]string{corev1.LabelHostname: node},
			ImagePullSecrets:             []corev1.LocalObjectReference{{Name: topology.PullSecret}},
			AutomountServiceAccountToken: ptr.To(false), TerminationGracePeriodSeconds: ptr.To(int64(1)), EnableServiceLinks: ptr.To(false),
			Containers: []corev1.Container{{
				Name: "probe", Image: topology.ConformanceImage, Command: []string{"/probe", "reach", "--token=case", "--listen=8080", "--listen=8081"},
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "admin", ContainerPort: 8081}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until the pod runs and answers.
func (f *fixture) await(t *testing.T, pod string) {
	t.Helper()
	namespace, name, _ := strings.Cut(pod, "/")
	eventuallyNoError(t, func() error {
		found, err := f.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if found.Status.Phase != corev1.PodRunning || found.Status.PodIP == "" {
			return fmt.Errorf("pod %s is %s", pod, found.Status.Phase)
		}
		f.addresses[pod] = found.Status.PodIP
		return nil
	})
}

func eventuallyNoError(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// apply creates a policy until the end of the test.
func (f *fixture) apply(t *testing.T, name string, spec networkingv1.NetworkPolicySpec) string {
	t.Helper()
	policies := f.client.NetworkingV1().NetworkPolicies(red)
	if _, err := policies.Create(t.Context(), &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = policies.Delete(context.Background(), name, metav1.DeleteOptions{}) })
	return name
}

func (f *fixture) update(t *testing.T, name string, spec networkingv1.NetworkPolicySpec) {
	t.Helper()
	policies := f.client.NetworkingV1().NetworkPolicies(red)
	policy, err := policies.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	policy.Spec = spec
	if _, err := policies.Update(t.Context(), policy, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) label(t *testing.T, pod, app string) {
	t.Helper()
	namespace, name, _ := strings.Cut(pod, "/")
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{"app":%q}}}`, app)
	if _, err := f.client.CoreV1().Pods(namespace).Patch(t.Context(), name, "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// expect tries all ways until all are as they should be.
func (f *fixture) expect(t *testing.T, c policyCase) {
	t.Helper()
	began := time.Now()
	var wrong []string
	for {
		if wrong = f.wrong(t, c); len(wrong) == 0 {
			return
		}
		if time.Since(began) > obeyed {
			t.Errorf("after %v:\n%s", time.Since(began).Round(time.Second), strings.Join(wrong, "\n"))
			return
		}
	}
}

// wrong lists the ways that are open and should be closed, and the other way round.
func (f *fixture) wrong(t *testing.T, c policyCase) (wrong []string) {
	t.Helper()
	var mutex sync.Mutex
	var group sync.WaitGroup
	try := func(from, to string, want bool, command ...string) {
		group.Go(func() {
			got, err := f.passes(t.Context(), from, command...)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil || got != want {
				wrong = append(wrong, fmt.Sprintf("%s to %s: %t, want %t (%v)", from, to, got, want, err))
			}
		})
	}
	connect := func(from, to, number string, want bool) {
		try(from, to+" "+number, want, "tcp", net.JoinHostPort(f.addresses[to], number), "--timeout="+tryTime.String())
	}
	for _, from := range everybody {
		connect(from, web, "8080", slices.Contains(c.reaches, from))
		connect(from, web, "8081", slices.Contains(c.admin, from))
		if c.out != nil {
			connect(web, from, "8080", slices.Contains(c.out, from))
		}
	}
	if c.dns != nil {
		try(web, "DNS", *c.dns, "dns", "kubernetes.default.svc", "--timeout="+tryTime.String())
	}
	group.Wait()
	slices.Sort(wrong)
	return wrong
}

// passes runs the probe in a pod and says whether it had no trouble.
func (f *fixture) passes(ctx context.Context, pod string, command ...string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	namespace, name, _ := strings.Cut(pod, "/")
	request := f.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: append([]string{"/probe"}, command...), Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(f.config, "GET", request.URL().String())
	if err != nil {
		return false, err
	}
	var out, problems bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &problems})
	var result struct {
		Trouble *struct{ Kind string } `json:"trouble"`
	}
	if broken := json.Unmarshal(out.Bytes(), &result); broken != nil {
		return false, fmt.Errorf("%w: %v: %s%s", broken, err, out.String(), problems.String())
	}
	return result.Trouble == nil, nil
}
