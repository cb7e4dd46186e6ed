package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/cmd/lab/gpu"
	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/images"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// otherNode is a node without GPUs.
const otherNode = "lab-node1"

// gpuTaint is the taint that keeps pods without a GPU away from GPU nodes in many clusters.
var gpuTaint = corev1.Taint{Key: device.Resource, Value: "present", Effect: corev1.TaintEffectNoSchedule}

// busyPod stands for a user's notebook.
const busyPod = "jupyter-simulated-user"

// waitGPUs waits until the node offers that many GPUs: the kubelet hears of the plugin at
// once and reports within seconds.
func (l *Lab) waitGPUs(ctx context.Context, count int) error {
	return l.waitNode(ctx, fmt.Sprintf("offers %d GPUs", count), func(found *corev1.Node) bool {
		return gpu.Allocatable(found) == int64(count)
	})
}

func breakDevice(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	if err := os.WriteFile(device.Unhealthy(lab.Dir), nil, 0o644); err != nil {
		return err
	}
	return lab.waitGPUs(ctx, topology.GPUsPerNode-1)
}

func mendDevice(ctx context.Context, lab *Lab, _ []byte) error {
	if err := os.Remove(device.Unhealthy(lab.Dir)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return lab.waitGPUs(ctx, topology.GPUsPerNode)
}

func stopPlugin(ctx context.Context, lab *Lab, keep func([]byte) error) error {
	if err := stopProcesses(gpu.Plugin(brokenNode))(ctx, lab, keep); err != nil {
		return err
	}
	return lab.waitGPUs(ctx, 0)
}

func startPlugin(ctx context.Context, lab *Lab, kept []byte) error {
	if err := startProcesses(ctx, lab, kept); err != nil {
		return err
	}
	return lab.waitGPUs(ctx, topology.GPUsPerNode)
}

func labelNode(node, label, value string) breakFunc {
	return onCluster(func(ctx context.Context, c *seed.Cluster) error {
		change, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{label: value}}})
		if err != nil {
			return err
		}
		_, err = c.Client.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, change, metav1.PatchOptions{})
		return err
	})
}

var labelAnew = mendOnCluster(func(ctx context.Context, c *seed.Cluster) error { return gpu.Label(ctx, c.Client) })

var (
	taint = onCluster(func(ctx context.Context, c *seed.Cluster) error {
		return changeTaints(ctx, c, func(taints []corev1.Taint) []corev1.Taint { return append(taints, gpuTaint) })
	})
	untaint = mendOnCluster(func(ctx context.Context, c *seed.Cluster) error {
		return changeTaints(ctx, c, func(taints []corev1.Taint) []corev1.Taint { return taints })
	})
)

// changeTaints gives the node the taints that change makes of those it has but for gpuTaint.
func changeTaints(ctx context.Context, c *seed.Cluster, change func([]corev1.Taint) []corev1.Taint) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := c.Client.CoreV1().Nodes().Get(ctx, brokenNode, metav1.GetOptions{})
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(found.Spec.Taints, func(taint corev1.Taint) bool { return taint.MatchTaint(&gpuTaint) })
		found.Spec.Taints = change(others)
		_, err = c.Client.CoreV1().Nodes().Update(ctx, found, metav1.UpdateOptions{})
		return err
	})
}

// takeGPUs starts a pod that holds all GPUs of the node and does nothing with them.
func takeGPUs(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	pods := cluster.Client.CoreV1().Pods(topology.Namespace)
	if _, err := pods.Create(ctx, notebook(), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return process.Until(ctx, func(ctx context.Context) error {
		found, err := pods.Get(ctx, busyPod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if found.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("pod %s is %s: %v", busyPod, found.Status.Phase, found.Status.Conditions)
		}
		return nil
	})
}

func notebook() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: busyPod, Namespace: topology.Namespace,
			Annotations: map[string]string{device.SimulatedAnnotation: "no notebook: a fault of the lab"},
		},
		Spec: corev1.PodSpec{
			RuntimeClassName:              ptr.To(device.RuntimeClass),
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To(int64(1)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To(int64(1000)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "notebook", Image: images.Pause.Tag, ImagePullPolicy: corev1.PullNever,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
					device.Resource: *resource.NewQuantity(topology.GPUsPerNode, resource.DecimalSI),
				}},
			}},
		},
	}
}

func freeGPUs(ctx context.Context, lab *Lab, _ []byte) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	pods := cluster.Client.CoreV1().Pods(topology.Namespace)
	if err := orGone(pods.Delete(ctx, busyPod, metav1.DeleteOptions{})); err != nil {
		return err
	}
	return process.Until(ctx, func(ctx context.Context) error {
		_, err := pods.Get(ctx, busyPod, metav1.GetOptions{})
		if err == nil {
			return fmt.Errorf("pod %s is still there", busyPod)
		}
		return orGone(err)
	})
}
