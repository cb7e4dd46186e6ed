package custom

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

func object(kind, namespace, name string, labels map[string]any, data map[string]any) *unstructured.Unstructured {
	metadata := map[string]any{"name": name, "labels": labels}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}}
}

func TestExamine(t *testing.T) {
	labelled := map[string]any{"app": "settings"}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{
			{Version: "v1", Resource: "configmaps"}: "ConfigMapList", {Version: "v1", Resource: "secrets"}: "SecretList", {Version: "v1", Resource: "nodes"}: "NodeList",
		},
		object("ConfigMap", "hub", "one", labelled, map[string]any{"region": "eu"}),
		object("ConfigMap", "hub", "two", labelled, map[string]any{"region": "us"}),
		object("Secret", "hub", "key", nil, map[string]any{"password": "c2VjcmV0"}),
		object("Node", "", "node1", nil, map[string]any{"region": "eu"}),
	)
	discovery := &fakediscovery.FakeDiscovery{Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "configmaps", Kind: "ConfigMap", Namespaced: true}, {Name: "nodes/status", Kind: "Node"}, {Name: "nodes", Kind: "Node"},
		{Name: "secrets", Kind: "Secret", Namespaced: true}}}}}}
	for _, c := range []struct {
		name      string
		check     answers.ObjectCheck
		looked    int
		want      string
		undecided bool
	}{
		{"holds", answers.ObjectCheck{Kind: "ConfigMap", Name: "one", Expect: "object.data.region == 'eu'"}, 1, "", false},
		{"of the cluster", answers.ObjectCheck{Kind: "Node", Name: "node1", Expect: "object.data.region == 'eu'"}, 1, "", false},
		{"one of two", answers.ObjectCheck{Kind: "ConfigMap", LabelSelector: "app=settings", Expect: "object.data.region == 'eu'"}, 2, `two (object.data.region = "us")`, false},
		{"missing field", answers.ObjectCheck{Kind: "ConfigMap", Name: "one", Expect: "object.data.zone == 'a'"}, 1, "no such key: zone; has(…)", false},
		{"none", answers.ObjectCheck{Kind: "ConfigMap", LabelSelector: "app=other", Expect: "true"}, 0, "none carries these labels", false},
		{"not there", answers.ObjectCheck{Kind: "ConfigMap", Name: "three", Expect: "true"}, 0, "no such object", false},
		{"elsewhere", answers.ObjectCheck{Kind: "ConfigMap", Namespace: "other", Name: "one", Expect: "true"}, 0, "no such object", false},
		{"no such kind", answers.ObjectCheck{Kind: "Configmap", Name: "one", Expect: "true"}, 0, "v1 has no kind Configmap", false},
		{"no such version", answers.ObjectCheck{APIVersion: "aiv.internal/v1", Kind: "Thing", Name: "one", Expect: "true"}, 0, "it does not know aiv.internal/v1", false},
		{"no version at all", answers.ObjectCheck{APIVersion: "a/b/c", Kind: "Thing", Name: "one", Expect: "true"}, 0, "apiVersion is not written", true},
		{"no expression", answers.ObjectCheck{Kind: "ConfigMap", Name: "one", Expect: "object."}, 0, "no CEL expression, at line 1", true},
		{"a secret is not quoted", answers.ObjectCheck{Kind: "Secret", Name: "key", Expect: "object.data.password == 'x'"}, 1, "found: key\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.check.APIVersion, c.check.Namespace = orElse(c.check.APIVersion, "v1"), orElse(c.check.Namespace, "hub")
			found, err := examine(t.Context(), discovery, client, c.check)
			if found.looked != c.looked {
				t.Errorf("looked at %d", found.looked)
			}
			wantFinding(t, err, c.want, c.undecided)
		})
	}
}

func wantFinding(t *testing.T, err error, want string, undecided bool) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("unexpected: %v", err)
		}
		return
	}
	f := finding.As(err)
	if f == nil || !strings.Contains(f.Error(), want) || f.Undecided != undecided || f.Do == "" {
		t.Errorf("want %q (undecided=%v), got\n%+v", want, undecided, f)
	}
}
