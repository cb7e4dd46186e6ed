package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

const (
	fakeNodes = 1000
	// fakeLabel with fakeValue is what the fake nodes are known by, and their taint: nobody
	// else's pods are to get there.
	fakeLabel = "bench.aiv.internal/fake-gpu-node"
	fakeValue = "kwok"
	// fakeNamespace is where the suite works meanwhile: quotas of the lab's own namespace are
	// for the lab's own GPUs.
	fakeNamespace = "bench-gpu"
	// simulatedKey is the annotation with which the lab owns up to what is not real.
	simulatedKey = "conformance.aiv.internal/simulated"
	// writers is how many requests create nodes at the same time.
	writers = 8
	// removalTime bounds the removal of all of it.
	removalTime = 3 * time.Minute
)

// farm is the fake nodes in the lab's API server: copies of its own GPU node.
type farm struct {
	client   kubernetes.Interface
	original *corev1.Node
}

// newFarm finds the node that the fake ones are copies of.
func newFarm(ctx context.Context, client kubernetes.Interface) (*farm, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "nvidia.com/gpu.present=true,!" + fakeLabel})
	if err != nil {
		return nil, err
	}
	if len(nodes.Items) == 0 {
		return nil, errors.New("the lab has no GPU node to copy")
	}
	return &farm{client, &nodes.Items[0]}, nil
}

var fakes = metav1.ListOptions{LabelSelector: fakeLabel + "=" + fakeValue}

// create makes the namespace and the nodes, and waits until KWOK has made all of them ready.
func (f *farm) create(ctx context.Context, k *kwok) error {
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fakeNamespace}}
	if _, err := f.client.CoreV1().Namespaces().Create(ctx, space, metav1.CreateOptions{}); err != nil {
		return err
	}
	group, groupContext := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range fakeNodes {
		group.Go(func() error {
			_, err := f.client.CoreV1().Nodes().Create(groupContext, f.fakeNode(i), metav1.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("create the fake nodes: %w", err)
	}
	return f.ready(ctx, k)
}

// ready waits until all nodes take pods. On a busy machine some get lost for a while.
func (f *farm) ready(ctx context.Context, k *kwok) error {
	ready := 0
	err := wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		if err := k.died(); err != nil {
			return false, err
		}
		nodes, err := f.client.CoreV1().Nodes().List(ctx, fakes)
		if err != nil {
			return false, err
		}
		ready = 0
		for _, node := range nodes.Items {
			if isReady(node) {
				ready++
			}
		}
		return ready == fakeNodes, nil
	})
	if err != nil {
		return fmt.Errorf("%d of %d fake nodes are ready: %w", ready, fakeNodes, err)
	}
	return nil
}

// isReady says that a node takes pods: ready, and free of the taints that it is born with.
func isReady(node corev1.Node) bool {
	if len(node.Spec.Taints) > 1 {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// remove deletes the fake nodes with their pods and leases, and the namespace, and waits until
// all are gone. It needs no KWOK, so it also clears up after a bench that was killed.
func (f *farm) remove(ctx context.Context) error {
	nodes, err := f.client.CoreV1().Nodes().List(ctx, fakes)
	if err != nil {
		return err
	}
	fake := map[string]bool{}
	for _, node := range nodes.Items {
		fake[node.Name] = true
	}
	pods, err := f.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	atOnce := metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0))}
	for _, pod := range pods.Items {
		if !fake[pod.Spec.NodeName] {
			continue
		}
		if err := f.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, atOnce); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if err := f.client.CoreV1().Nodes().DeleteCollection(ctx, atOnce, fakes); err != nil {
		return fmt.Errorf("delete the fake nodes: %w", err)
	}
	if err := f.client.CoreV1().Namespaces().Delete(ctx, fakeNamespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, time.Second, removalTime, true, func(ctx context.Context) (bool, error) { return f.gone(ctx, fake) })
}

// gone says that nothing is left; leases go with their nodes, by the garbage collector.
func (f *farm) gone(ctx context.Context, fake map[string]bool) (bool, error) {
	nodes, err := f.client.CoreV1().Nodes().List(ctx, fakes)
	if err != nil || len(nodes.Items) > 0 {
		return false, err
	}
	leases, err := f.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	for _, lease := range leases.Items {
		if fake[lease.Name] {
			return false, nil
		}
	}
	_, err = f.client.CoreV1().Namespaces().Get(ctx, fakeNamespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

// fakeNode is a copy of the lab's GPU node: its labels, its GPUs, and room for pods.
func (f *farm) fakeNode(i int) *corev1.Node {
	name := fmt.Sprintf("bench-gpu-%04d", i)
	labels := maps.Clone(f.original.Labels)
	labels[corev1.LabelHostname], labels[fakeLabel] = name, fakeValue
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{
			"kwok.x-k8s.io/node": "fake", simulatedKey: "a fake node of test/bench, played by KWOK"}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: fakeLabel, Value: fakeValue, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Capacity:    f.original.Status.Capacity,
			Allocatable: f.original.Status.Capacity,
			NodeInfo:    f.original.Status.NodeInfo,
		},
	}
}
