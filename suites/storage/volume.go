package storage

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"golang.org/x/sync/errgroup"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// bindTime bounds the making of a volume: seconds with Ceph and NFS.
	bindTime = 60 * time.Second
	// podTime bounds a pod's way to its end, the mount and a possible detach included.
	podTime = 75 * time.Second
	// goneTime bounds a pod's removal; a volume that cannot be unmounted shows here.
	goneTime = 45 * time.Second
	// chainTime bounds a whole chain, a little below the limit of its node in Ginkgo's tree.
	chainTime = 225 * time.Second
)

// smallSize is what is claimed where no size is answered, or where the answered one is refused.
var smallSize = resource.MustParse("1Gi")

// claimed is a claim as far as it got. Each stage has its own error, and an item looks only
// at those that concern it.
type claimed struct {
	claim *throwaway.Claim
	class string
	mode  corev1.PersistentVolumeAccessMode
	// size is what was claimed in the end.
	size resource.Quantity
	// tooLarge is why the answered size was refused; a small claim took its place.
	tooLarge error
	// refused is why there is no claim at all.
	refused error
	// unbound is why the claim has no volume.
	unbound error
}

// claimVolume claims a volume of the answered size, or a small one where that is refused: a
// quota that is too tight says nothing of the storage.
func claimVolume(ctx context.Context, kit *throwaway.Kit, name, class string, mode corev1.PersistentVolumeAccessMode, answered *answers.Quantity) *claimed {
	c := &claimed{class: class, mode: mode, size: smallSize}
	if answered != nil {
		c.size = answered.Quantity
	}
	options := throwaway.ClaimOptions{Name: name, Class: class, AccessMode: mode, Size: c.size}
	c.claim, c.refused = kit.Claim(ctx, options)
	if answered == nil || !refusedSize(c.refused) {
		return c
	}
	c.tooLarge, c.size, options.Size = c.refused, smallSize, smallSize
	c.claim, c.refused = kit.Claim(ctx, options)
	return c
}

// whileBinding runs work, which waits for pods that use the claim, while it waits for the
// claim's volume. A claim that gets none ends work, and so the other way round: a class that
// binds late waits for the pod.
func (c *claimed) whileBinding(ctx context.Context, work func(context.Context) error) error {
	var unbound, failed error
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error {
		ctx, cancel := context.WithTimeout(both, bindTime)
		defer cancel()
		unbound = c.claim.Bound(ctx)
		return unbound
	})
	group.Go(func() error {
		failed = work(both)
		return failed
	})
	first := group.Wait()
	if unbound != nil {
		c.unbound = blame(first, "claim "+c.claim.Name()+" gets a volume")
		return c.unbound
	}
	return failed
}

// requireClaim ends the check as undecided where no claim could be made. Where that is for
// want of room, the item that is about the size fails for it.
func (c *claimed) requireClaim(sizeItem string) {
	if c.tooLarge != nil {
		check.NoError(finding.SeeItem(c.refused, sizeItem), "claim a volume")
	}
	check.NoError(finding.Undecide(c.refused), "claim a volume")
}

// requireVolume is requireClaim that also wants the claim bound, which bindItem is about.
func (c *claimed) requireVolume(sizeItem, bindItem string) {
	c.requireClaim(sizeItem)
	check.NoError(finding.SeeItem(c.unbound, bindItem), "bind a claim")
}
