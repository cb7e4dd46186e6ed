package storage

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/throwaway"
)

// oneMore is by how much a claim goes over a limit, and by how much a volume grows.
var oneMore = resource.MustParse("1Gi")

// proveLimits proves what keeps a user from taking too much, as far as it is answered: the
// namespace's quota is there as answered, and claims that go over it, or over the largest
// claim, are refused. It creates nothing.
func proveLimits(ctx context.Context, a answers.StorageQuotas, class string, mode corev1.PersistentVolumeAccessMode) {
	if a.NamespaceTotal != nil {
		proveQuota(ctx, a.NamespaceTotal.Quantity, class)
		proveRefused(ctx, "storageQuotas.namespaceTotal", "ResourceQuota", a.NamespaceTotal.Quantity, class, mode)
	}
	if a.MaxClaim != nil {
		proveRefused(ctx, "storageQuotas.maxClaim", "LimitRange", a.MaxClaim.Quantity, class, mode)
	}
}

// proveRefused asks for one claim over the limit, as a dry run, which admission judges like
// any other.
func proveRefused(ctx context.Context, key, guard string, limit resource.Quantity, class string, mode corev1.PersistentVolumeAccessMode) {
	over := limit.DeepCopy()
	over.Add(oneMore)
	kit := check.Throwaways()
	check.Step("ask for a claim of %s, more than %s", over.String(), key)
	err := kit.DryRun(ctx, kit.NewClaim(throwaway.ClaimOptions{Name: "over", Class: class, AccessMode: mode, Size: over}))
	switch {
	case err == nil:
		check.Fail(fmt.Sprintf("a claim of %s is refused, since %s is %s", over.String(), key, limit.String()),
			"the API server would accept it", "there is no "+guard+" for storage in the namespace, or it allows more",
			"have the "+guard+" created, or correct "+key)
	case refusedSize(err):
		check.Evidence("a claim of "+over.String(), "refused by "+string(kubeerr.ReasonOf(err)))
	default:
		// Refused for another reason, which says nothing of the limit.
		check.NoError(undecide(err), "ask for a claim over the limit")
	}
}

// proveQuota holds the namespace's quota for storage against the answer: a limit range may
// refuse a large claim before the quota is asked.
func proveQuota(ctx context.Context, answered resource.Quantity, class string) {
	target := check.Cluster()
	check.Step("list the namespace's quotas")
	quotas, err := target.Client.CoreV1().ResourceQuotas(target.Namespace).List(ctx, metav1.ListOptions{})
	check.NoError(err, "list the resource quotas of namespace "+target.Namespace)
	if f := judgeQuota(quotas.Items, answered, class); f != nil {
		check.NoError(f, "hold the namespace's quota against the answer")
	}
	check.Evidence("ResourceQuota for storage", answered.String())
}

// judgeQuota finds the tightest quota for volumes of the class, in force and as answered: nil
// if it is.
func judgeQuota(quotas []corev1.ResourceQuota, answered resource.Quantity, class string) *finding.Finding {
	expected := fmt.Sprintf("a ResourceQuota of %s for storage", answered.String())
	var tightest *resource.Quantity
	var name string
	for _, quota := range quotas {
		for _, key := range []corev1.ResourceName{
			corev1.ResourceRequestsStorage,
			corev1.ResourceName(class + ".storageclass.storage.k8s.io/requests.storage"),
		} {
			// The status is what admission goes by, once the quota controller has seen it.
			if hard, limited := quota.Status.Hard[key]; limited && (tightest == nil || hard.Cmp(*tightest) < 0) {
				tightest, name = &hard, quota.Name
			}
		}
	}
	do := "correct storageQuotas.namespaceTotal, or have the quota changed"
	if tightest == nil {
		return finding.Failed(expected, "no ResourceQuota of the namespace limits requests.storage", "it was not created, or is in another namespace", do)
	}
	if tightest.Cmp(answered) != 0 {
		return finding.Failed(expected, fmt.Sprintf("ResourceQuota %s allows %s", name, tightest.String()), "the quota was changed since the answer was given", do)
	}
	return nil
}

// failRefused ends the check: a claim of the size that users are promised is refused.
func failRefused(err error, key string, size resource.Quantity) {
	f := kubeerr.FromAPI(err, "")
	check.Fail(fmt.Sprintf("a claim of %s, as %s says, fits the namespace's quota and limits", size.String(), key), f.Found, f.Why,
		strings.TrimSuffix(f.Do, ".")+"; or correct "+key)
}
