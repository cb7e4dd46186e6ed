package faults

import (
	"slices"

	"aiv.internal/conformance/cmd/lab/gpu"
	"aiv.internal/conformance/cmd/lab/gpu/device"
)

// smoke is the item whose job computes on a GPU: what is broken between the driver and the
// device shows there.
const smoke = "1.2.3"

// unread is the item that needs what the driver says of its devices, where the smoke job does
// not get that far.
var unread = []string{"1.2.1"}

// gpuFaults are the defects of the GPU nodes and of what the answers say about them.
func gpuFaults() []Fault {
	return slices.Concat(driverFaults(), gpuNodeFaults(), gpuAnswerFaults())
}

// driverFaults are found by what runs in a container with a GPU. The container runtime looks
// for their markers, and hands most of them on to the simulated driver.
func driverFaults() []Fault {
	fault := func(name, description string, undecided []string, words ...string) Fault {
		return Fault{Name: name, Description: description, Failed: []string{smoke}, Undecided: undecided, Words: words}
	}
	return []Fault{
		fault(device.FaultLibraryMissing, "the container toolkit injects device files and no driver library",
			unread, "container toolkit", "libcuda.so.1"),
		fault(device.FaultNoDevice, "the driver finds no device in the container",
			unread, "device plugin", "CUDA_ERROR_NO_DEVICE"),
		fault(device.FaultTwoVisible, "a container that asked for one GPU sees two",
			nil, "container toolkit", "wrong number of devices"),
		fault(device.FaultDriverOld, "the driver is older than what our kernels need",
			unread, "the driver", "older"),
		fault(device.FaultJITRefuses, "the driver's compiler refuses our kernels", nil, "CUDA", "PTX refused"),
		fault(device.FaultWrongSum, "the GPU adds wrongly in one element of a million", nil, "computes wrongly", `"sum"`),
		fault(device.FaultWrongProduct, "the GPU multiplies matrices wrongly in one element", nil, "computes wrongly", `"product"`),
		fault(device.FaultMemoryBit, "one bit of the GPU's memory always reads 0", nil, "memory", "does not keep"),
		fault(device.FaultECC, "the GPU counts memory errors that ECC could not correct", nil, "ECC", "uncorrected"),
		fault(device.FaultHangInit, "the driver never returns from cuInit", unread, "driver hangs in cuInit"),
		fault(device.FaultHangKernel, "a kernel on the GPU never ends", nil, "driver hangs in cu"),
		fault(device.FaultCrash, "the driver's library crashes as a context is made", nil, "driver crashed", "SIGSEGV"),
		{
			Name:        device.FaultLeaks,
			Description: "the container toolkit gives every GPU to any pod that sets " + device.VisibleDevices + "=all",
			Failed:      []string{"1.2.5"},
			Words:       []string{device.VisibleDevices},
		},
	}
}

// gpuNodeFaults are defects of the GPU node as the cluster sees it.
func gpuNodeFaults() []Fault {
	const otherModel = "Tesla-V100-SXM2-32GB"
	return []Fault{
		{
			Name:        "gpu-unhealthy",
			Description: "the device plugin reports one of two GPUs as unhealthy",
			Failed:      []string{"1.2.2"},
			Words:       []string{"unhealthy", brokenNode},
			Break:       breakDevice,
			Mend:        mendDevice,
		},
		{
			Name:        "gpu-plugin-dead",
			Description: "the device plugin died after it had registered",
			Failed:      []string{"1.2.2", smoke},
			Undecided:   []string{"1.2.1", "1.2.5"},
			Words:       []string{brokenNode},
			Break:       stopPlugin,
			Mend:        startPlugin,
		},
		{
			Name:        "gpu-busy",
			Description: "somebody's notebook holds all GPUs of the node",
			Undecided:   gpuPodItems,
			Words:       []string{busyPod},
			Break:       takeGPUs,
			Mend:        freeGPUs,
		},
		{
			Name:        "gpu-model-label",
			Description: "the node's label says another model than the driver",
			Failed:      []string{"1.2.1"},
			Words:       []string{otherModel, device.Model},
			Break:       labelNode(brokenNode, gpu.LabelProduct, otherModel),
			Mend:        labelAnew,
		},
		{
			Name:        "gpu-label-elsewhere",
			Description: "a node without a GPU carries the label by which GPU nodes are selected",
			Failed:      []string{"1.2.5"},
			Words:       []string{otherNode, gpu.LabelPresent},
			Break:       labelNode(otherNode, gpu.LabelPresent, "true"),
			Mend:        labelAnew,
		},
		{
			Name:        "gpu-taint",
			Description: "the GPU node has a taint that is not answered, so that no pod tolerates it",
			Failed:      []string{"1.2.5"},
			Undecided:   []string{"1.2.1", smoke},
			Words:       []string{gpuTaint.Key, brokenNode},
			Break:       taint,
			Mend:        untaint,
		},
	}
}

// gpuAnswerFaults are answers that are not true.
func gpuAnswerFaults() []Fault {
	return []Fault{
		answerFault(Fault{
			Name:        "gpu-count-answered",
			Description: "more GPUs are answered for each node than the nodes have",
			Failed:      []string{"1.2.2"},
			Words:       []string{"4", "2", brokenNode},
		}, `  perNode: 2`, `  perNode: 4`),
		answerFault(Fault{
			Name:        "gpu-operator-wrong",
			Description: "another version of the GPU operator is answered than the cluster has",
			Failed:      []string{"1.2.4"},
			Words:       []string{"24.9.2", "25.3.0"},
		}, `  operatorVersion: `+device.OperatorVersion, `  operatorVersion: v24.9.2`),
		answerFault(Fault{
			Name:        "gpu-runtimeclass-missing",
			Description: "a RuntimeClass is answered that the cluster does not have",
			Failed:      []string{smoke},
			Undecided:   []string{"1.2.1", "1.2.5"},
			Words:       []string{"RuntimeClass", "nvidia-legacy"},
		}, `  runtimeClass: `+device.RuntimeClass, `  runtimeClass: nvidia-legacy`),
	}
}
