package throwaway

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Room returns how many Jobs like one may exist at the same time, at most most and at least
// one, by what the namespace's ResourceQuotas leave beside the pods of beside; and the name of
// the quota that says so, "" if none does. A dry run does not tell: it adds nothing up.
//
// It is for planning only. Without the right to list quotas it returns most, and others may
// take the room meanwhile.
func (k *Kit) Room(ctx context.Context, most int, like JobOptions, beside ...PodOptions) (int, string) {
	ctx, cancel := limited(ctx)
	defer cancel()
	quotas, err := k.client.Kube.CoreV1().ResourceQuotas(k.Namespace()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return most, ""
	}
	asked := k.charged(like.PodOptions)
	asked["count/jobs.batch"] = resource.MustParse("1")
	taken := corev1.ResourceList{}
	for _, options := range beside {
		add(taken, k.charged(options))
	}
	tightest := ""
	for i := range quotas.Items {
		if n := roomIn(&quotas.Items[i], asked, taken); n < int64(most) {
			most, tightest = int(max(n, 1)), quotas.Items[i].Name
		}
	}
	return most, tightest
}

// roomIn is how often asked still fits into a quota after taken, or very often if the quota is
// about none of it.
func roomIn(quota *corev1.ResourceQuota, asked, taken corev1.ResourceList) int64 {
	const noLimit = int64(1) << 31
	if !covers(quota) {
		return noLimit
	}
	least := noLimit
	for name, hard := range quota.Status.Hard {
		each, asks := asked[name]
		if !asks || each.IsZero() {
			continue
		}
		left, used, reserved := hard.DeepCopy(), quota.Status.Used[name], taken[name]
		left.Sub(used)
		left.Sub(reserved)
		least = min(least, max(left.MilliValue()/each.MilliValue(), 0))
	}
	return least
}

// covers tells whether a quota counts throwaway pods, which have a deadline and requests
// (kubernetes.io/docs/concepts/policy/resource-quotas, "Quota scopes"), and no priority class:
// what a default class changes shows when a pod is refused.
func covers(quota *corev1.ResourceQuota) bool {
	for _, scope := range quota.Spec.Scopes {
		if scope != corev1.ResourceQuotaScopeTerminating && scope != corev1.ResourceQuotaScopeNotBestEffort {
			return false
		}
	}
	if quota.Spec.ScopeSelector == nil {
		return true
	}
	for _, term := range quota.Spec.ScopeSelector.MatchExpressions {
		switch term.ScopeName {
		case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotBestEffort:
		case corev1.ResourceQuotaScopePriorityClass:
			if term.Operator != corev1.ScopeSelectorOpNotIn && term.Operator != corev1.ScopeSelectorOpDoesNotExist {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// charged is what quotas count a pod with, under each name that they may give it
// (kubernetes, pkg/quota/v1/evaluator/core).
func (k *Kit) charged(o PodOptions) corev1.ResourceList {
	one := resource.MustParse("1")
	charge := corev1.ResourceList{"pods": one, "count/pods": one}
	if o.DeviceClass != "" {
		charge["count/resourceclaims.resource.k8s.io"] = one
		charge["count/resourceclaimtemplates.resource.k8s.io"] = one
		charge[corev1.ResourceName(o.DeviceClass+".deviceclass.resource.k8s.io/devices")] = *resource.NewQuantity(max(o.DeviceCount, 1), resource.DecimalSI)
	}
	spec := k.newPod(o).Spec
	for _, container := range append(spec.InitContainers, spec.Containers...) {
		requests := corev1.ResourceList{}
		for name, limit := range container.Resources.Limits {
			raise(charge, "limits."+name, limit)
			requests[name] = limit // as the API fills in what is not requested
		}
		maps.Copy(requests, container.Resources.Requests)
		for name, request := range requests {
			raise(charge, "requests."+name, request)
			raise(charge, name, request) // the short form of cpu, memory and ephemeral-storage
		}
	}
	return charge
}

// raise puts an amount into the list where that has less: the init container of a throwaway
// pod and its only other one never run at the same time.
func raise(list corev1.ResourceList, name corev1.ResourceName, to resource.Quantity) {
	if present, has := list[name]; !has || present.Cmp(to) < 0 {
		list[name] = to
	}
}

func add(to, what corev1.ResourceList) {
	for name, amount := range what {
		sum := to[name]
		sum.Add(amount)
		to[name] = sum
	}
}
