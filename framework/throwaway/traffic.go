package throwaway

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// takesNoTraffic refuses a pod with others' labels that one of their Services would send users
// to although it is never ready (spec.publishNotReadyAddresses).
func (k *Kit) takesNoTraffic(ctx context.Context, pod *corev1.Pod) error {
	if len(pod.Spec.ReadinessGates) == 0 {
		return nil
	}
	const expected = "a throwaway pod that no Service sends anything"
	services, err := k.client.Kube.CoreV1().Services(k.Namespace()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return finding.Undecide(kubeerr.FromAPI(err, expected))
	}
	for _, service := range services.Items {
		selects := len(service.Spec.Selector) > 0 && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
		if selects && service.Spec.PublishNotReadyAddresses {
			return finding.NotDecided(expected, fmt.Sprintf("Service %s selects the labels %v, and publishes pods that are not ready", service.Name, service.Spec.Selector),
				"a pod with these labels would get users' connections as long as it is there",
				"take publishNotReadyAddresses from the Service for the time of the run, or decide this by hand")
		}
	}
	return nil
}
