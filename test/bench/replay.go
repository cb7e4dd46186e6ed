package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// maxReplay is when a replay is given up: one takes seconds.
const maxReplay = 2 * time.Minute

// replay makes the recorded objects again: each claim with its pods is a chain, each other
// pod one of its own, but for those that ask each other, and all chains run at once. A pod that
// serves is done when it is ready. It returns when everything is gone.
func (r *recorded) replay(ctx context.Context, client kubernetes.Interface) error {
	group, ctx := errgroup.WithContext(ctx)
	b := bare{client, r}
	chained := map[string]bool{}
	for name, claim := range r.claims {
		pods := r.usersOf(claim)
		for _, pod := range pods {
			chained[pod] = true
		}
		group.Go(func() error { return b.chain(ctx, name, pods) })
	}
	first, then := r.acquainted()
	if len(then) > 0 {
		group.Go(func() error { return b.acquaintance(ctx, first, then) })
	}
	for name := range r.pods {
		if !chained[name] && !slices.Contains(first, name) && !slices.Contains(then, name) {
			group.Go(func() error { return b.alone(ctx, name) })
		}
	}
	return group.Wait()
}

// usersOf lists the pods that mount a claim, those that wait for another's end last.
func (r *recorded) usersOf(claim *corev1.PersistentVolumeClaim) []string {
	var first, then []string
	for name, pod := range r.pods {
		for _, volume := range pod.Spec.Volumes {
			if source := volume.PersistentVolumeClaim; source == nil || source.ClaimName != claim.Name {
				continue
			}
			if follows(pod) {
				then = append(then, name)
			} else {
				first = append(first, name)
			}
		}
	}
	return append(first, then...)
}

// follows tells a pod that was kept off the node of one before it.
func follows(pod *corev1.Pod) bool {
	return pod.Spec.Affinity != nil && pod.Spec.Affinity.NodeAffinity != nil
}

type bare struct {
	client  kubernetes.Interface
	objects *recorded
}

// chain claims a volume, runs its pods, together or one after the other, grows the claim
// where that was recorded, and removes all.
func (b bare) chain(ctx context.Context, name string, pods []string) error {
	recorded := b.objects.claims[name]
	claim, err := b.client.CoreV1().PersistentVolumeClaims(namespace).Create(ctx, &corev1.PersistentVolumeClaim{ObjectMeta: as(recorded.ObjectMeta), Spec: recorded.Spec}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	together, ctx2 := errgroup.WithContext(ctx)
	ended := make([]*corev1.Pod, len(pods))
	for i, pod := range pods {
		if !follows(b.objects.pods[pod]) {
			together.Go(func() (err error) {
				ended[i], err = b.run(ctx2, pod, claim.Name, nil)
				return err
			})
		}
	}
	if err := together.Wait(); err != nil {
		return err
	}
	for _, pod := range pods {
		if follows(b.objects.pods[pod]) {
			if _, err := b.run(ctx, pod, claim.Name, ended[0]); err != nil {
				return err
			}
		}
	}
	claims := b.client.CoreV1().PersistentVolumeClaims(namespace)
	bound, err := claims.Get(ctx, claim.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := claims.Delete(ctx, claim.Name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return b.volumeGone(ctx, bound.Spec.VolumeName)
}

// run runs one pod to its end and removes it. A pod that follows another keeps off its node,
// and sees its claim grow.
func (b bare) run(ctx context.Context, name, claim string, previous *corev1.Pod) (*corev1.Pod, error) {
	recorded := b.objects.pods[name]
	spec := recorded.Spec.DeepCopy()
	spec.NodeName = ""
	for i := range spec.Volumes {
		if source := spec.Volumes[i].PersistentVolumeClaim; source != nil {
			source.ClaimName = claim
		}
	}
	if previous != nil {
		spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values = []string{previous.Spec.NodeName}
	}
	if spec.Affinity != nil && spec.Affinity.PodAntiAffinity != nil {
		for _, term := range spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			term.LabelSelector.MatchLabels[managedBy] = replayed
		}
	}
	pod, err := b.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: as(recorded.ObjectMeta), Spec: *spec}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	if grown, grows := b.objects.grown[b.claimOf(recorded)]; grows && follows(recorded) {
		if err := b.grow(ctx, pod.Name, claim, grown); err != nil {
			return nil, err
		}
	}
	ended, err := b.until(ctx, pod.Name, func(pod *corev1.Pod) (bool, error) {
		if pod.Status.Phase == corev1.PodFailed {
			return false, fmt.Errorf("pod %s failed: %+v", pod.Name, pod.Status.ContainerStatuses)
		}
		return pod.Status.Phase == corev1.PodSucceeded, nil
	})
	if err != nil {
		return nil, err
	}
	return ended, b.remove(ctx, pod.Name)
}

func (b bare) claimOf(pod *corev1.Pod) string {
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			return role(volume.PersistentVolumeClaim.ClaimName)
		}
	}
	return ""
}

// grow makes the claim larger once the pod runs, and the kubelet look at it.
func (b bare) grow(ctx context.Context, pod, claim string, to corev1.ResourceList) error {
	if _, err := b.until(ctx, pod, func(pod *corev1.Pod) (bool, error) { return pod.Status.Phase == corev1.PodRunning, nil }); err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"resources": map[string]any{"requests": to}}})
	if err != nil {
		return err
	}
	claims := b.client.CoreV1().PersistentVolumeClaims(namespace)
	if _, err := claims.Patch(ctx, claim, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	one := only(claim)
	_, err = watchtools.UntilWithSync(ctx, &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = one
			return claims.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = one
			return claims.Watch(ctx, o)
		},
	}, &corev1.PersistentVolumeClaim{}, nil, func(event watch.Event) (bool, error) {
		claim, ok := event.Object.(*corev1.PersistentVolumeClaim)
		if !ok {
			return false, nil
		}
		for _, condition := range claim.Status.Conditions {
			if condition.Type == corev1.PersistentVolumeClaimFileSystemResizePending {
				return true, nil
			}
		}
		return claim.Status.Capacity.Storage().Cmp(*to.Storage()) >= 0, nil
	})
	if err != nil {
		return err
	}
	_, err = b.client.CoreV1().Pods(namespace).Patch(ctx, pod, types.MergePatchType, []byte(`{"metadata":{"annotations":{"bench":"grown"}}}`), metav1.PatchOptions{})
	return err
}

// alone runs a pod that uses no claim. One that is to be refused its image is done when it is.
// The image that a run pushes is gone after it: the suite's own, pulled anew, takes its place.
func (b bare) alone(ctx context.Context, name string) error {
	recorded := b.objects.pods[name]
	spec := recorded.Spec.DeepCopy()
	spec.NodeName = ""
	container := &spec.Containers[0]
	if container.ImagePullPolicy == corev1.PullAlways {
		container.Image, container.Command, container.Args = b.ownImage(), []string{"/probe"}, []string{"exit", "0"}
	}
	pod, err := b.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: as(recorded.ObjectMeta), Spec: *spec}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = b.until(ctx, pod.Name, func(pod *corev1.Pod) (bool, error) {
		if serves, _ := readyIs(true)(pod); serves && pod.Spec.Containers[0].ReadinessProbe != nil {
			return true, nil
		}
		for _, status := range pod.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil && strings.Contains(waiting.Reason, "ImagePull") {
				return true, nil
			}
		}
		return ended(pod)
	})
	if err != nil {
		return err
	}
	return b.remove(ctx, pod.Name)
}

// ownImage is the image of the pods that measure volumes.
func (b bare) ownImage() string {
	for _, pod := range b.objects.pods {
		if len(pod.Spec.Volumes) > 0 {
			return pod.Spec.Containers[0].Image
		}
	}
	return ""
}

// until watches a pod.
func (b bare) until(ctx context.Context, name string, reached func(*corev1.Pod) (bool, error)) (last *corev1.Pod, err error) {
	pods, one := b.client.CoreV1().Pods(namespace), only(name)
	_, err = watchtools.UntilWithSync(ctx, &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = one
			return pods.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = one
			return pods.Watch(ctx, o)
		},
	}, &corev1.Pod{}, nil, func(event watch.Event) (bool, error) {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return false, nil
		}
		last = pod
		return reached(pod)
	})
	return last, err
}

// remove deletes a pod and waits until it is gone.
func (b bare) remove(ctx context.Context, name string) error {
	pods := b.client.CoreV1().Pods(namespace)
	pod, err := pods.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	watching, err := pods.Watch(ctx, metav1.ListOptions{FieldSelector: only(name), ResourceVersion: pod.ResourceVersion})
	if err != nil {
		return err
	}
	defer watching.Stop()
	if err := pods.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return deleted(ctx, watching)
}

// volumeGone waits until the volume of a deleted claim is gone.
func (b bare) volumeGone(ctx context.Context, name string) error {
	volumes := b.client.CoreV1().PersistentVolumes()
	volume, err := volumes.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	watching, err := volumes.Watch(ctx, metav1.ListOptions{FieldSelector: only(name), ResourceVersion: volume.ResourceVersion})
	if err != nil {
		return err
	}
	defer watching.Stop()
	return deleted(ctx, watching)
}

func deleted(ctx context.Context, watching watch.Interface) error {
	for {
		select {
		case event, open := <-watching.ResultChan():
			if !open {
				return fmt.Errorf("the watch ended before the object was gone")
			}
			if event.Type == watch.Deleted {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func only(name string) string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
}
