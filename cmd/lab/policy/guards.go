package policy

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// world is what the agent knows.
type world struct {
	pods       []*corev1.Pod
	namespaces []*corev1.Namespace
	policies   []*networkingv1.NetworkPolicy
	// dropsDNS: see FaultDNSDropped.
	dropsDNS bool
}

// guard is what may pass to or from one pod that policies select: what fits one of the matches.
type guard struct {
	direction networkingv1.PolicyType
	address   string
	// pod is "namespace/name", for whoever reads the table.
	pod string
	// matches are expressions of nftables; an empty one fits everything.
	matches []string
	// drops are expressions of what is dropped before that.
	drops []string
}

// guards are those of the node's pods that policies select. What no policy selects is free.
func (w world) guards(node string) []guard {
	var all []guard
	for _, pod := range w.pods {
		if pod.Spec.NodeName != node || !hasOwnNetwork(pod) {
			continue
		}
		for _, direction := range []networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress} {
			if g, isolated := w.guard(pod, direction); isolated {
				all = append(all, g)
			}
		}
	}
	slices.SortFunc(all, func(a, b guard) int {
		return cmp.Or(cmp.Compare(a.direction, b.direction), cmp.Compare(a.pod, b.pod))
	})
	return all
}

// guard adds up all policies that select the pod in a direction.
func (w world) guard(pod *corev1.Pod, direction networkingv1.PolicyType) (guard, bool) {
	g := guard{direction: direction, address: pod.Status.PodIP, pod: pod.Namespace + "/" + pod.Name}
	isolated := false
	for _, policy := range w.policies {
		if policy.Namespace != pod.Namespace || !slices.Contains(policy.Spec.PolicyTypes, direction) || !fits(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		isolated = true
		if direction == networkingv1.PolicyTypeIngress {
			for _, rule := range policy.Spec.Ingress {
				g.matches = append(g.matches, w.ingress(pod, policy.Namespace, rule)...)
			}
			continue
		}
		for _, rule := range policy.Spec.Egress {
			g.matches = append(g.matches, w.egress(policy.Namespace, rule)...)
		}
	}
	slices.Sort(g.matches)
	g.matches = slices.Compact(g.matches)
	if direction == networkingv1.PolicyTypeEgress && w.dropsDNS {
		g.drops = []string{"udp dport { 53, 5353 }", "tcp dport { 53, 5353 }"}
	}
	return g, isolated
}

// hasOwnNetwork says whether a pod has an address of its own that it uses now.
func hasOwnNetwork(pod *corev1.Pod) bool {
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork &&
		pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// chosen are the pods that a peer selects, for a policy in a namespace.
func (w world) chosen(peer networkingv1.NetworkPolicyPeer, namespace string) []*corev1.Pod {
	inside := map[string]bool{}
	for _, candidate := range w.namespaces {
		inside[candidate.Name] = peer.NamespaceSelector == nil && candidate.Name == namespace ||
			peer.NamespaceSelector != nil && fits(peer.NamespaceSelector, candidate.Labels)
	}
	var pods []*corev1.Pod
	for _, pod := range w.pods {
		if hasOwnNetwork(pod) && inside[pod.Namespace] && (peer.PodSelector == nil || fits(peer.PodSelector, pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// fits says whether a selector selects; the API server admits none that cannot be read.
func fits(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}
