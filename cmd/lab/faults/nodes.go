package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// breakNodeNetwork takes the network configuration from the node's containerd, which notices
// and tells the kubelet, which reports the node as not ready. Running pods go on.
func breakNodeNetwork(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	files, err := filepath.Glob(filepath.Join(node.CNIFolder(lab.Dir, brokenNode), "*.conflist"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return lab.waitNode(ctx, "is not ready", func(found *corev1.Node) bool {
		return !isReady(found) && isTainted(found, corev1.TaintNodeNotReady)
	})
}

func mendNodeNetwork(ctx context.Context, lab *Lab, _ []byte) error {
	nodes := topology.Nodes()
	broken := nodes[slices.IndexFunc(nodes, func(n topology.Node) bool { return n.Name == brokenNode })]
	if err := node.Configure(lab.Dir, broken); err != nil {
		return err
	}
	err := lab.waitNode(ctx, "is ready", func(found *corev1.Node) bool {
		return isReady(found) && !isTainted(found, corev1.TaintNodeNotReady)
	})
	if err != nil {
		return err
	}
	return lab.waitSystemPods(ctx)
}

// waitSystemPods waits until cluster DNS has all its pods again: those of a node that was not
// ready were marked as not ready themselves, and the kubelet notices after some seconds.
func (l *Lab) waitSystemPods(ctx context.Context) error {
	cluster, err := l.Cluster()
	if err != nil {
		return err
	}
	return process.Until(ctx, func(ctx context.Context) error {
		found, err := cluster.Client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, pod := range found.Items {
			ready := func(condition corev1.PodCondition) bool {
				return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
			}
			if !slices.ContainsFunc(pod.Status.Conditions, ready) {
				return fmt.Errorf("pod %s is not ready again", pod.Name)
			}
		}
		return nil
	})
}

func cordon(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	return lab.setUnschedulable(ctx, true)
}

func uncordon(ctx context.Context, lab *Lab, _ []byte) error {
	return lab.setUnschedulable(ctx, false)
}

func (l *Lab) setUnschedulable(ctx context.Context, unschedulable bool) error {
	cluster, err := l.Cluster()
	if err != nil {
		return err
	}
	change := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, unschedulable)
	_, err = cluster.Client.CoreV1().Nodes().Patch(ctx, brokenNode, types.StrategicMergePatchType, []byte(change), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return l.waitNode(ctx, fmt.Sprintf("is tainted as unschedulable: %t", unschedulable), func(found *corev1.Node) bool {
		return isTainted(found, corev1.TaintNodeUnschedulable) == unschedulable
	})
}

// waitNode waits until the broken node is as it is meant to be.
func (l *Lab) waitNode(ctx context.Context, meant string, condition func(*corev1.Node) bool) error {
	cluster, err := l.Cluster()
	if err != nil {
		return err
	}
	return process.Until(ctx, func(ctx context.Context) error {
		found, err := cluster.Client.CoreV1().Nodes().Get(ctx, brokenNode, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !condition(found) {
			return fmt.Errorf("node %s: not yet so that it %s", brokenNode, meant)
		}
		return nil
	})
}

func isReady(found *corev1.Node) bool {
	return slices.ContainsFunc(found.Status.Conditions, func(condition corev1.NodeCondition) bool {
		return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
	})
}

func isTainted(found *corev1.Node, key string) bool {
	return slices.ContainsFunc(found.Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == key })
}
