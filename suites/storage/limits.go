package storage

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		proveRefused(ctx, totalLimit, a.NamespaceTotal.Quantity, class, mode)
	}
	if a.MaxClaim != nil {
		proveRefused(ctx, claimLimit, a.MaxClaim.Quantity, class, mode)
	}
}

// limitKind is one of the limits of storage: its answer, and the object that enforces it.
type limitKind struct {
	key, guard string
	reason     kubeerr.Reason
}

var (
	totalLimit = limitKind{"storageQuotas.namespaceTotal", "ResourceQuota", kubeerr.Quota}
	claimLimit = limitKind{"storageQuotas.maxClaim", "LimitRange", kubeerr.LimitRange}
)

// proveRefused asks for one claim over the limit, as a dry run, which admission judges like
// any other.
func proveRefused(ctx context.Context, kind limitKind, limit resource.Quantity, class string, mode corev1.PersistentVolumeAccessMode) {
	over := limit.DeepCopy()
	over.Add(oneMore)
	kit := check.Throwaways()
	check.Step("ask for a claim of %s, more than %s", over.String(), kind.key)
	err := kit.DryRun(ctx, kit.NewClaim(throwaway.ClaimOptions{Name: "over", Class: class, AccessMode: mode, Size: over}))
	by, f := judgeRefusal(err, kind, limit, over)
	if f != nil {
		check.NoError(f, "ask for a claim over the limit")
	}
	check.Evidence("a claim of "+over.String(), "refused by "+by)
}

// storageExceeded is the quota plugin's sentence about storage, for all classes or for one; it
// names only what a request exceeds (apiserver, pkg/admission/plugin/resourcequota).
var storageExceeded = regexp.MustCompile(`exceeded quota: [^,]+, requested: [^:]*\brequests\.storage=`)

// judgeRefusal tells who refused the claim over the limit, or why that proves nothing of it:
// somebody else was first, or the quota is one of another resource, such as the number of
// claims.
func judgeRefusal(err error, kind limitKind, limit, over resource.Quantity) (by string, f *finding.Finding) {
	expected := fmt.Sprintf("a claim of %s is refused by a %s, since %s is %s", over.String(), kind.guard, kind.key, limit.String())
	reason := kubeerr.ReasonOf(err)
	switch {
	case err == nil:
		return "", finding.Failed(expected,
			"the API server would accept it", "there is no "+kind.guard+" for storage in the namespace, or it allows more",
			"have the "+kind.guard+" created, or correct "+kind.key)
	case reason == kind.reason && (kind != totalLimit || storageExceeded.MatchString(messageOf(err))):
		return string(reason), nil
	case reason == kubeerr.LimitRange && kind == totalLimit:
		// Admission asks limit ranges first, and no larger claim gets past this one. That the
		// quota is in force as answered, its status has shown.
		return "the limit range, before the quota was asked", nil
	case reason == kubeerr.Quota && kind == totalLimit:
		return "", finding.NotDecided(expected, messageOf(err), "another quota than that of storage refuses claims of any size",
			"make room in that quota, then run it again").Because(err)
	case reason == kubeerr.Quota:
		return "", finding.NotDecided(expected, "a ResourceQuota refused it first: "+messageOf(err), "no LimitRange refused it before, or the quota has too little left for one claim to tell",
			"see whether the namespace has a LimitRange with a maximum for PersistentVolumeClaim; else have it created, or take "+kind.key+" out").Because(err)
	}
	// Refused for another reason, which says nothing of the limit.
	return "", finding.As(finding.Undecide(kubeerr.FromAPI(err, expected)))
}

// messageOf returns the API server's own words, or else those of the error.
func messageOf(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
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
