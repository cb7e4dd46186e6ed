package gpu

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
)

// untolerated returns the taints that keep pods away although they have the tolerations, those
// apart that are set for as long as a node is not fit.
func untolerated(taints []corev1.Taint, tolerations []corev1.Toleration) (passing, blocking []string) {
	for _, taint := range taints {
		tolerated := slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool {
			return t.ToleratesTaint(klog.Background(), &taint, false)
		})
		switch {
		case tolerated, taint.Effect == corev1.TaintEffectPreferNoSchedule:
		case taint.Key == corev1.TaintNodeUnschedulable, taint.Key == corev1.TaintNodeNotReady: // said by the node itself
		case passes(taint.Key):
			passing = append(passing, taint.ToString())
		default:
			blocking = append(blocking, taint.ToString())
		}
	}
	return passing, blocking
}

// tolerationsFor returns tolerations for answered taints, key=value:effect or key:effect; the
// latter stands for any value.
func tolerationsFor(taints []string) []corev1.Toleration {
	var out []corev1.Toleration
	for _, text := range taints {
		what, effect, _ := strings.Cut(text, ":")
		key, value, exact := strings.Cut(what, "=")
		t := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffect(effect)}
		if exact {
			t.Operator, t.Value = corev1.TolerationOpEqual, value
		}
		out = append(out, t)
	}
	return out
}

// passes tells whether a taint is one that comes and goes with a node's state: those of
// Kubernetes itself (https://kubernetes.io/docs/reference/labels-annotations-taints/), of
// autoscalers that take a node away, and of network and storage plugins that are not up yet.
func passes(key string) bool {
	return strings.HasPrefix(key, "node.kubernetes.io/") || strings.HasPrefix(key, "node.cloudprovider.kubernetes.io/") ||
		strings.HasSuffix(key, "/agent-not-ready") || // node.cilium.io, ebs.csi.aws.com
		strings.Contains(key, "-taint.cluster-autoscaler.kubernetes.io/") || // startup-, status- and ignore-
		key == "ToBeDeletedByClusterAutoscaler" || key == "DeletionCandidateOfClusterAutoscaler" ||
		key == "karpenter.sh/disrupted" || key == "karpenter.sh/disruption" || key == "karpenter.sh/unregistered"
}
