// Package device names what the parts behind the lab's simulated GPUs agree on: the device
// plugin, the container runtime and the faults. It holds no code that does anything, so that
// the runtime, which starts once for every container, stays small.
package device

import (
	"fmt"
	"path/filepath"
	"strconv"

	"aiv.internal/conformance/cmd/lab/state"
)

// Resource is the name under which nodes offer their GPUs, NVIDIA's own.
const Resource = "nvidia.com/gpu"

// RuntimeClass is the class of pods with a GPU, and RuntimeHandler what the node's containerd
// calls the runtime behind it.
const (
	RuntimeClass   = "nvidia"
	RuntimeHandler = "nvidia"
)

// Runtime is the program that the node's containerd runs in the place of runc, called as
// NVIDIA's is.
const Runtime = "nvidia-container-runtime"

// VolumeMounts is the folder in which a container has a file for each device that the kubelet
// gave it, called by the device's UUID (the device list strategy "volume-mounts" of NVIDIA's
// device plugin). Unlike an environment variable, no pod can ask for such a mount by itself.
const VolumeMounts = "/var/run/nvidia-container-devices"

// VisibleDevices is the environment variable that names a container's devices to NVIDIA's
// runtime. An image or a pod may set it to whatever it likes.
const VisibleDevices = "NVIDIA_VISIBLE_DEVICES"

// The driver's environment variables: which devices it shows, and in which way it is broken.
const (
	DriverDevices = "SIMULATED_GPU_UUIDS"
	DriverFault   = "SIMULATED_GPU_FAULT"
)

// Libraries are the files of the simulated driver in Folder.
var Libraries = []string{"libcuda.so.1", "libnvidia-ml.so.1"}

// Folder is where the simulated driver is built.
func Folder(dir state.Dir) string { return dir.Path("bin", "gpu") }

// Unhealthy is the file that exists while the plugin is to report its last device as
// unhealthy, as NVIDIA's does after an Xid error.
func Unhealthy(dir state.Dir) string { return dir.Run("gpu.unhealthy") }

// OperatorVersion is that of the operator whose objects are in the lab.
const OperatorVersion = "v25.3.0"

// Model is the name by which the simulated driver calls its devices, and Product the same as
// GPU feature discovery makes a label's value of it.
const (
	Model   = "Simulated GPU (AIV lab)"
	Product = "Simulated-GPU-AIV-lab"
)

// SimulatedAnnotation is on every object that speaks of the lab's GPUs, with what they really
// are.
const (
	SimulatedAnnotation = "conformance.aiv.internal/simulated"
	Simulated           = "GPUs are simulated: a driver library of the lab that executes PTX on the CPU; no GPU"
)

// uuidPrefix and a number of twelve hexadecimal digits are a UUID in the form of NVML's.
const uuidPrefix = "GPU-51000000-0000-0000-0000-"

// UUIDs are those of a node with that many devices.
func UUIDs(count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprintf("%s%012x", uuidPrefix, i)
	}
	return all
}

// Index is the number of the device, by which its device file is called; false where the lab
// has no such device.
func Index(uuid string) (int, bool) {
	if len(uuid) != len(uuidPrefix)+12 || uuid[:len(uuidPrefix)] != uuidPrefix {
		return 0, false
	}
	index, err := strconv.ParseUint(uuid[len(uuidPrefix):], 16, 31)
	return int(index), err == nil
}

// MountPath is where a container that was given the device has a file of its name.
func MountPath(uuid string) string { return filepath.Join(VolumeMounts, uuid) }
