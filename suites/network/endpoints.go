package network

import (
	"context"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/finding"
)

// explainEndpoints says so where the cluster gave the Service of a pod that is ready no endpoint:
// ingress controllers then answer as if they did not know the host, or nobody were behind it.
// Without the right to look, the finding stays as it is.
func explainEndpoints(ctx context.Context, client kubernetes.Interface, namespace, service string, f *finding.Finding) {
	slices, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil || anyEndpoint(slices.Items) {
		return
	}
	f.Found += "; the Service before the pod has no endpoints, although the pod is ready"
	f.Why = "the cluster makes no EndpointSlices: kube-controller-manager's controller for them does not run, or an admission policy or a quota refuses what it makes"
	f.Do = "see kube-controller-manager's log for the Service, and whether other Services of the namespace have EndpointSlices"
}

func anyEndpoint(slices []discoveryv1.EndpointSlice) bool {
	for _, slice := range slices {
		if len(slice.Endpoints) > 0 {
			return true
		}
	}
	return false
}
