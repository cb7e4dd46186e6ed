package network

import (
	"context"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/finding"
)

// explainEndpoints says so where the cluster gave the Service of a pod that was ready no endpoint:
// ingress controllers then answer as if they did not know the host, or nobody were behind it.
// Without the right to look, the finding stays as it is. Where there was an answer, a cluster that
// makes none leaves no doubt about it.
func explainEndpoints(ctx context.Context, client kubernetes.Interface, namespace, service string, answered bool, f *finding.Finding) {
	list, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	switch {
	case err != nil || anyEndpoint(list.Items):
	case len(list.Items) > 0:
		f.Found += "; the Service before the pod has no endpoints, although the pod was ready"
		f.Why = "the Service has no endpoints: the pod is gone or not seen yet"
		f.Do = "see whether the pod's node is ready, and whether kube-controller-manager keeps up with other Services; then run it again"
	default:
		f.Found += "; the Service before the pod has no endpoints, although the pod is ready"
		f.Undecided = f.Undecided && !answered
		f.Why = "the cluster makes no EndpointSlices: kube-controller-manager's controller for them does not run, or an admission policy or a quota refuses what it makes"
		f.Do = "see kube-controller-manager's log for the Service, and whether other Services of the namespace have EndpointSlices"
	}
}

func anyEndpoint(items []discoveryv1.EndpointSlice) bool {
	for _, slice := range items {
		if len(slice.Endpoints) > 0 {
			return true
		}
	}
	return false
}
