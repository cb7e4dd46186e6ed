package gpu

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Labels of GPU feature discovery that faults change.
const (
	LabelPresent = "nvidia.com/gpu.present"
	LabelProduct = "nvidia.com/gpu.product"
)

// timestampLabel is when the labels were written, in seconds since 1970.
const timestampLabel = "nvidia.com/gfd.timestamp"

// labels are those that node feature discovery, GPU feature discovery and the operator write
// on a node with that many of the driver's devices (k8s-device-plugin, docs/gpu-feature-
// discovery), without the one that holds the time.
func labels(count int) map[string]string {
	return map[string]string{
		"feature.node.kubernetes.io/pci-10de.present": "true",

		"nvidia.com/cuda.driver-version.full":         "550.54.15",
		"nvidia.com/cuda.driver-version.major":        "550",
		"nvidia.com/cuda.driver-version.minor":        "54",
		"nvidia.com/cuda.driver-version.revision":     "15",
		"nvidia.com/cuda.driver.major":                "550",
		"nvidia.com/cuda.driver.minor":                "54",
		"nvidia.com/cuda.driver.rev":                  "15",
		"nvidia.com/cuda.runtime-version.full":        "12.4",
		"nvidia.com/cuda.runtime-version.major":       "12",
		"nvidia.com/cuda.runtime-version.minor":       "4",
		"nvidia.com/cuda.runtime.major":               "12",
		"nvidia.com/cuda.runtime.minor":               "4",
		"nvidia.com/gpu.compute.major":                "7",
		"nvidia.com/gpu.compute.minor":                "0",
		"nvidia.com/gpu.count":                        strconv.Itoa(count),
		"nvidia.com/gpu.family":                       "volta",
		"nvidia.com/gpu.machine":                      "AIV-lab-simulated",
		"nvidia.com/gpu.memory":                       "32", // MiB
		"nvidia.com/gpu.mode":                         "compute",
		LabelProduct:                                  device.Product,
		"nvidia.com/gpu.replicas":                     "1",
		"nvidia.com/gpu.sharing-strategy":             "none",
		"nvidia.com/mig.capable":                      "false",
		"nvidia.com/mig.strategy":                     "none",
		"nvidia.com/mps.capable":                      "false",
		"nvidia.com/vgpu.present":                     "false",
		LabelPresent:                                  "true",
		"nvidia.com/gpu.deploy.container-toolkit":     "true",
		"nvidia.com/gpu.deploy.dcgm":                  "true",
		"nvidia.com/gpu.deploy.dcgm-exporter":         "true",
		"nvidia.com/gpu.deploy.device-plugin":         "true",
		"nvidia.com/gpu.deploy.driver":                "true",
		"nvidia.com/gpu.deploy.operator-validator":    "true",
		"nvidia.com/gpu.deploy.gpu-feature-discovery": "true",
	}
}

// Label writes the labels on every GPU node, with the annotation that owns up to what they
// describe, and takes from the other nodes the one that says that they have GPUs.
func Label(ctx context.Context, client kubernetes.Interface) error {
	for _, worker := range topology.Nodes() {
		change, err := json.Marshal(map[string]any{"metadata": metadata(worker)})
		if err != nil {
			return err
		}
		_, err = client.CoreV1().Nodes().Patch(ctx, worker.Name, types.StrategicMergePatchType, change, metav1.PatchOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}

func metadata(worker topology.Node) map[string]any {
	if worker.GPUs == 0 {
		return map[string]any{"labels": map[string]any{LabelPresent: nil}}
	}
	written := labels(worker.GPUs)
	written[timestampLabel] = strconv.FormatInt(time.Now().Unix(), 10)
	return map[string]any{"labels": written, "annotations": map[string]string{device.SimulatedAnnotation: device.Simulated}}
}
