package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/throwaway"
)

// growTime bounds the growth of a volume in use. Backends take seconds; the resizer tries
// again what it failed at.
const growTime = 50 * time.Second

// retryTime is how long a growth that failed may be tried again, before it counts as failed.
const retryTime = 12 * time.Second

// growInUse makes the claim larger while the pod uses it, and returns when it has its size.
func growInUse(ctx context.Context, kit *throwaway.Kit, claim *throwaway.Claim, pod string, to resource.Quantity) error {
	ctx, cancel := context.WithTimeout(ctx, growTime)
	defer cancel()
	group, both := errgroup.WithContext(ctx)
	watching, enough := context.WithCancel(both)
	name := claim.Name()
	group.Go(func() error {
		defer enough()
		return claim.Grow(both, to)
	})
	for _, watch := range []func() error{
		func() error { return nudgeWhenLarger(watching, kit, name, pod) },
		func() error { return failWhenStuck(watching, kit, name) },
	} {
		group.Go(func() error {
			err := watch()
			if watching.Err() != nil {
				return nil // grown by then, or not at all: the claim says which
			}
			return err
		})
	}
	return group.Wait()
}

// nudgeWhenLarger waits until only the node's part of the growth is left, and then makes the
// kubelet look: it compares the sizes of a pod's volumes when it syncs the pod, which without
// a change is once in one to two minutes. A backend without a node's part never gets there.
func nudgeWhenLarger(ctx context.Context, kit *throwaway.Kit, claim, pod string) error {
	if _, err := condition(ctx, kit, claim, corev1.PersistentVolumeClaimFileSystemResizePending); err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, throwaway.LabelItem+"-volume-grown", time.Now().UTC().Format(time.RFC3339))
	_, err := kit.Run().Client().Kube.CoreV1().Pods(kit.Namespace()).Patch(ctx, pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return kubeerr.FromAPI(err, "annotate the throwaway pod "+pod)
	}
	return nil
}

// failWhenStuck gives up a growth that the resizer or the node says has failed, and that does
// not come right by being tried again.
func failWhenStuck(ctx context.Context, kit *throwaway.Kit, claim string) error {
	failed, err := condition(ctx, kit, claim, corev1.PersistentVolumeClaimControllerResizeError, corev1.PersistentVolumeClaimNodeResizeError)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(retryTime):
	}
	where := "the resizer and the storage driver's controller (ControllerExpandVolume)"
	if failed.Type == corev1.PersistentVolumeClaimNodeResizeError {
		where = "the storage driver on the pod's node (NodeExpandVolume)"
	}
	return finding.Failed("claim "+claim+" grows", string(failed.Type)+": "+failed.Message, "the storage driver cannot grow the volume", "see the log of "+where)
}

// condition returns when the claim has a condition of one of the types.
func condition(ctx context.Context, kit *throwaway.Kit, claim string, types ...corev1.PersistentVolumeClaimConditionType) (corev1.PersistentVolumeClaimCondition, error) {
	claims := kit.Run().Client().Kube.CoreV1().PersistentVolumeClaims(kit.Namespace())
	only := fields.OneTermEqualSelector("metadata.name", claim).String()
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = only
			return claims.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = only
			return claims.Watch(ctx, options)
		},
	}
	var found corev1.PersistentVolumeClaimCondition
	_, err := watchtools.UntilWithSync(ctx, source, &corev1.PersistentVolumeClaim{}, nil, func(event watch.Event) (bool, error) {
		state, ok := event.Object.(*corev1.PersistentVolumeClaim)
		if !ok {
			return false, nil
		}
		i := slices.IndexFunc(state.Status.Conditions, func(c corev1.PersistentVolumeClaimCondition) bool {
			return slices.Contains(types, c.Type) && c.Status == corev1.ConditionTrue
		})
		if i >= 0 {
			found = state.Status.Conditions[i]
		}
		return i >= 0, nil
	})
	if err != nil {
		return found, kubeerr.FromAPI(err, "watch claim "+claim+" grow")
	}
	return found, nil
}
