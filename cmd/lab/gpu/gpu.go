// Package gpu makes GPU nodes of the lab's workers that are to be such: a device plugin on the
// kubelet's own API, the node labels that GPU feature discovery writes, and the objects that
// NVIDIA's operator leaves in a cluster. The container runtime and the driver behind it lie
// below. There is no GPU: the driver executes PTX on the CPU, and all that speaks of it says
// so.
package gpu

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Plugin is the name of the device plugin's process on the node.
func Plugin(node string) string { return "gpu-plugin-" + node }

// StartNode starts the device plugin of a node that has GPUs. It waits for the kubelet by
// itself.
func StartNode(ctx context.Context, supervisor process.Supervisor, worker topology.Node) error {
	if worker.GPUs == 0 {
		return nil
	}
	root := node.KubeletRoot(worker.Name)
	if err := os.MkdirAll(filepath.Join(supervisor.Dir.Path("nodes", root), pluginFolder), 0o750); err != nil {
		return err
	}
	command, err := node.Enter(supervisor, worker.Name, supervisor.Dir.Bin("lab"), "serve", "gpu-plugin",
		"--kubelet-dir="+root, fmt.Sprintf("--devices=%d", worker.GPUs))
	if err != nil {
		return err
	}
	return supervisor.Start(ctx, process.Spec{Name: Plugin(worker.Name), Command: command})
}

// Ready returns nil once every GPU node offers all its devices.
func Ready(ctx context.Context, client kubernetes.Interface) error {
	for _, worker := range topology.GPUNodes() {
		found, err := client.CoreV1().Nodes().Get(ctx, worker.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if offered := Allocatable(found); offered != int64(worker.GPUs) {
			return fmt.Errorf("node %s offers %d of %d simulated GPUs", worker.Name, offered, worker.GPUs)
		}
	}
	return nil
}

// Allocatable is how many GPUs the node offers.
func Allocatable(found *corev1.Node) int64 {
	quantity := found.Status.Allocatable[device.Resource]
	return quantity.Value()
}
