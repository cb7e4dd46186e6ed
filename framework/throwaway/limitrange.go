package throwaway

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fitLimitRanges moves the pod's amounts into what the namespace's LimitRanges allow, and
// says whether that changed anything. A minimum above our few millicores is the customer's
// choice, and no reason to fail a check about something else.
func (k *Kit) fitLimitRanges(ctx context.Context, pod *corev1.Pod) bool {
	ranges, err := k.client.Kube.CoreV1().LimitRanges(k.Namespace()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false // the refusal that led here is the finding
	}
	changed := false
	for _, one := range ranges.Items {
		for _, limit := range one.Spec.Limits {
			if limit.Type == corev1.LimitTypeContainer || limit.Type == corev1.LimitTypePod {
				for i := range pod.Spec.InitContainers {
					changed = fitLimit(&pod.Spec.InitContainers[i].Resources, limit) || changed
				}
				changed = fitLimit(&pod.Spec.Containers[0].Resources, limit) || changed
			}
		}
	}
	return changed
}

// fitLimit applies one limit: at least Min, at most Max, and no more than MaxLimitRequestRatio
// between limit and request.
func fitLimit(resources *corev1.ResourceRequirements, limit corev1.LimitRangeItem) bool {
	changed := false
	raise := func(list corev1.ResourceList, name corev1.ResourceName, to resource.Quantity) {
		if present, has := list[name]; has && present.Cmp(to) < 0 {
			list[name], changed = to, true
		}
	}
	lower := func(list corev1.ResourceList, name corev1.ResourceName, to resource.Quantity) {
		if present, has := list[name]; has && present.Cmp(to) > 0 {
			list[name], changed = to, true
		}
	}
	for name, least := range limit.Min {
		raise(resources.Requests, name, least)
		raise(resources.Limits, name, least)
	}
	for name, most := range limit.Max {
		lower(resources.Requests, name, most)
		lower(resources.Limits, name, most)
	}
	for name, ratio := range limit.MaxLimitRequestRatio {
		request, has := resources.Requests[name]
		if has {
			lower(resources.Limits, name, *resource.NewMilliQuantity(request.MilliValue()*ratio.Value(), request.Format))
		}
	}
	return changed
}
