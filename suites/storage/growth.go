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
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/throwaway"
)

// growTime bounds the growth of a volume in use. Backends take seconds; the resizer tries
// again what it failed at.
const growTime = 50 * time.Second

// growInUse makes the claim larger while the pod uses it, and returns when it has its size.
func growInUse(ctx context.Context, kit *throwaway.Kit, claim *throwaway.Claim, pod string, to resource.Quantity) error {
	ctx, cancel := context.WithTimeout(ctx, growTime)
	defer cancel()
	group, both := errgroup.WithContext(ctx)
	nudging, enough := context.WithCancel(both)
	group.Go(func() error {
		defer enough()
		return claim.Grow(both, to)
	})
	group.Go(func() error {
		err := nudgeWhenLarger(nudging, kit, claim.Name(), pod)
		if nudging.Err() != nil {
			return nil // grown by then, or not at all: the claim says which
		}
		return err
	})
	return group.Wait()
}

// nudgeWhenLarger waits until only the node's part of the growth is left, and then makes the
// kubelet look: it compares the sizes of a pod's volumes when it syncs the pod, which without
// a change is once in one to two minutes. A backend without a node's part never gets there.
func nudgeWhenLarger(ctx context.Context, kit *throwaway.Kit, claim, pod string) error {
	client := kit.Client().Kube
	if err := handedToNode(ctx, client, kit.Namespace(), claim); err != nil {
		return kubeerr.FromAPI(err, "watch claim "+claim+" grow")
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, throwaway.LabelItem+"-volume-grown", time.Now().UTC().Format(time.RFC3339))
	if _, err := client.CoreV1().Pods(kit.Namespace()).Patch(ctx, pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		return kubeerr.FromAPI(err, "annotate the throwaway pod "+pod)
	}
	return nil
}

// handedToNode returns when the volume has its new size and its filesystem has not.
func handedToNode(ctx context.Context, client kubernetes.Interface, namespace, claim string) error {
	claims, only := client.CoreV1().PersistentVolumeClaims(namespace), fields.OneTermEqualSelector("metadata.name", claim).String()
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
	_, err := watchtools.UntilWithSync(ctx, source, &corev1.PersistentVolumeClaim{}, nil, func(event watch.Event) (bool, error) {
		state, ok := event.Object.(*corev1.PersistentVolumeClaim)
		return ok && slices.ContainsFunc(state.Status.Conditions, func(c corev1.PersistentVolumeClaimCondition) bool {
			return c.Type == corev1.PersistentVolumeClaimFileSystemResizePending && c.Status == corev1.ConditionTrue
		}), nil
	})
	return err
}
