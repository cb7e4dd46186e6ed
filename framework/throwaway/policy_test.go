package throwaway

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"aiv.internal/conformance/framework/finding"
)

func TestPolicySelectsOwnPodsOnly(t *testing.T) {
	api, client := newAPI(t)
	k, cleanup := kit(begin(t, client, "r1"), "2.3.1")
	policy := k.newPolicy(PolicyOptions{Name: "deny", Role: "server", Ingress: []networkingv1.NetworkPolicyIngressRule{}})
	selected := policy.Spec.PodSelector.MatchLabels
	if selected[LabelRun] != "r1" || selected[LabelItem] != "2.3.1" || selected[LabelManagedBy] != ManagedBy || selected[LabelRole] != "server" {
		t.Errorf("it selects %v", selected)
	}
	if types := policy.Spec.PolicyTypes; len(types) != 1 || types[0] != networkingv1.PolicyTypeIngress {
		t.Errorf("a policy that says nothing of egress restricts %v", types)
	}
	if policy.Labels[LabelRun] != "r1" || len(policy.OwnerReferences) != 1 {
		t.Errorf("%v, %v", policy.Labels, policy.OwnerReferences)
	}
	made, err := k.NetworkPolicy(t.Context(), PolicyOptions{Name: "deny", Role: "server", Egress: []networkingv1.NetworkPolicyEgressRule{}})
	if err != nil || len(api.names("networkpolicies")) != 1 {
		t.Fatalf("%v, %v", api.names("networkpolicies"), err)
	}
	if err := made.Delete(t.Context()); err != nil || len(api.names("networkpolicies")) != 0 {
		t.Errorf("%v, %v", api.names("networkpolicies"), err)
	}
	cleanup(t) // what is gone already is no trouble
}

func TestPolicyWithoutTheRightNamesTheVerb(t *testing.T) {
	api, client := newAPI(t)
	api.refuse = func(method, path string) (int, string) {
		if method == http.MethodPost && strings.Contains(path, "networkpolicies") {
			return http.StatusForbidden, `networkpolicies.networking.k8s.io is forbidden: User "runner" cannot create resource "networkpolicies"`
		}
		return 0, ""
	}
	k, _ := kit(begin(t, client, "r1"), "2.3.1")
	_, err := k.NetworkPolicy(t.Context(), PolicyOptions{Role: "server", Ingress: []networkingv1.NetworkPolicyIngressRule{}})
	f := finding.As(err)
	if f == nil || !f.Undecided || !strings.Contains(f.Error(), "create") || !strings.Contains(f.Error(), "networkpolicies") {
		t.Errorf("%v", err)
	}
}

// Policies go first: until they are gone, pods that are still there have no network.
func TestPoliciesGoFirst(t *testing.T) {
	for _, way := range []string{"end", "sweep"} {
		api, client := newAPI(t)
		run := begin(t, client, "r1")
		k, _ := kit(run, "2.3.1")
		if _, err := k.Pod(t.Context(), PodOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := k.NetworkPolicy(t.Context(), PolicyOptions{Role: "server", Ingress: []networkingv1.NetworkPolicyIngressRule{}}); err != nil {
			t.Fatal(err)
		}
		var err error
		if way == "end" {
			err = run.End(t.Context())
		} else {
			_, err = Sweep(t.Context(), client, namespace, SweepOptions{All: true})
		}
		api.mutex.Lock()
		first := slices.IndexFunc(api.requests, func(r string) bool { return strings.HasPrefix(r, "DELETE ") })
		if err != nil || first < 0 || !strings.Contains(api.requests[first], "/networkpolicies/") {
			t.Errorf("%s: %v, first deleted: %v", way, err, api.requests)
		}
		api.mutex.Unlock()
	}
}

// A pod that looks like the hub must not get the hub's traffic.
func TestPodThatLooksLikeOthersTakesNoTraffic(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "2.3.3")
	if own := k.newPod(PodOptions{Labels: map[string]string{LabelRole: "server"}}); len(own.Spec.ReadinessGates) != 0 {
		t.Error("a pod with labels of ours alone never gets ready")
	}
	pod, err := k.Pod(t.Context(), PodOptions{Labels: map[string]string{"component": "hub"}, ReadyPort: 8080})
	if err != nil || len(pod.last.Spec.ReadinessGates) != 1 {
		t.Fatalf("%v, %v", pod, err)
	}
	api.change(podPath(pod), func(p map[string]any) {
		set(p, map[string]any{"phase": "Running", "conditions": []any{map[string]any{"type": "ContainersReady", "status": "True"}, map[string]any{"type": "Ready", "status": "False"}},
			"containerStatuses": []any{map[string]any{"name": containerName, "state": map[string]any{"running": map[string]any{}}}}})
	})
	if err := pod.Ready(t.Context()); err != nil {
		t.Errorf("its container is ready: %v", err)
	}
}
