package cuda

import (
	"errors"
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/probe"
)

// success is CUDA_SUCCESS, and NVML_SUCCESS as well.
const success = 0

// outOfMemory is CUDA_ERROR_OUT_OF_MEMORY, of the device's memory but for hostAllocation, which
// takes the host's.
const (
	outOfMemory    = 2
	hostAllocation = "cuMemHostAlloc"
)

// meaning is what an error code of the driver says to an engineer.
type meaning struct {
	name string
	// kind is one of probe's kinds of Trouble.
	kind string
	// what has happened, in words, and what to do about it.
	what, do string
}

// CodeText names an error code of the driver API, such as "CUDA_ERROR_NO_DEVICE (100)".
func CodeText(code int32) string {
	if known, ok := meanings[code]; ok {
		return fmt.Sprintf("%s (%d)", known.name, code)
	}
	return fmt.Sprintf("CUDA error %d", code)
}

// explain turns what a stage failed with into words: trouble, and the call and the code where
// the driver refused one.
func explain(err error) (trouble *probe.Trouble, call, code string) {
	var refused *CallError
	switch {
	case errors.As(err, &trouble):
		return trouble, "", ""
	case !errors.As(err, &refused):
		return &probe.Trouble{Kind: probe.Other, Message: err.Error()}, "", ""
	}
	if refused.Call == hostAllocation && refused.Code == outOfMemory {
		return &probe.Trouble{Kind: probe.DriverError, Message: "the host's memory for copies could not be had (pinned memory): look at the container's memory limit, and at the node's free memory"}, refused.Call, CodeText(refused.Code)
	}
	known, ok := meanings[refused.Code]
	if !ok {
		known = meaning{kind: probe.DriverError, what: "the driver refused the call with a code that is not in its public list", do: "look at the node's kernel log (dmesg) for \"NVRM\" and Xid"}
	}
	message := known.what + "; " + known.do
	if refused.More != "" {
		message += ". The driver's words: " + strings.Join(strings.Fields(refused.More), " ")
	}
	return &probe.Trouble{Kind: known.kind, Message: message}, refused.Call, CodeText(refused.Code)
}

// tooOld is what to do about an old driver.
const tooOld = "the node's NVIDIA driver is older than CUDA 9.0 (driver 384.81), the least that Volta needs; update it (today's notebooks want 525.60 or newer, for CUDA 12)"

// meanings holds the errors of the driver API that a GPU, a node or a container can cause, by
// CUresult in cuda.h; those that only a programming mistake causes are here where a broken
// device causes them as well.
var meanings = map[int32]meaning{
	1: {"CUDA_ERROR_INVALID_VALUE", probe.DriverError,
		"the driver refused an argument", "the driver's library and its kernel module may be of different versions: compare `nvidia-smi` on the node with the library's version in the container"},
	outOfMemory: {"CUDA_ERROR_OUT_OF_MEMORY", probe.OutOfDeviceMemory,
		"the device's memory is taken", "see who holds it (`nvidia-smi` on the node): time-slicing and MPS do not divide memory between pods; or a process has outlived its pod"},
	3: {"CUDA_ERROR_NOT_INITIALIZED", probe.DriverError,
		"the driver is not initialised, or could not be: its kernel modules may not be loaded", "look at `lsmod | grep nvidia` and `nvidia-smi` on the node"},
	4: {"CUDA_ERROR_DEINITIALIZED", probe.DriverError,
		"the driver was shut down while it was used", "look whether the driver was updated or restarted on the node meanwhile"},
	34: {"CUDA_ERROR_STUB_LIBRARY", probe.NoDriverLibrary,
		"the library is the toolkit's stub, which only serves to link programs, not the driver's", "remove .../stubs from LD_LIBRARY_PATH in the image, and have the container toolkit inject the real one"},
	35: {"CUDA_ERROR_INSUFFICIENT_DRIVER", probe.DriverTooOld,
		"the driver is older than this use of it needs", "update the node's NVIDIA driver, or take an image for an older CUDA version"},
	36: {"CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", probe.DriverTooOld,
		"the driver's library is newer than its kernel module", "update the node's NVIDIA driver, or take the CUDA compat package out of the image"},
	46: {"CUDA_ERROR_DEVICE_UNAVAILABLE", probe.DeviceBusy,
		"another process holds the device for itself alone (compute mode exclusive), or nobody may use it (prohibited)", "see who with `nvidia-smi` on the node; `nvidia-smi -c 0` gives the mode for sharing back"},
	100: {"CUDA_ERROR_NO_DEVICE", probe.NoDevice,
		"the driver sees no GPU in this container", "look whether NVIDIA_VISIBLE_DEVICES or the CDI device reached the container (RuntimeClass, device plugin's strategy), whether CUDA_VISIBLE_DEVICES hides it, and whether `nvidia-smi` on the node still lists it"},
	101: {"CUDA_ERROR_INVALID_DEVICE", probe.DriverError,
		"the device is not usable, as when MIG is on and no instance was made", "look at `nvidia-smi -L` on the node: with MIG enabled, instances must exist and the pod must ask for one"},
	102: {"CUDA_ERROR_DEVICE_NOT_LICENSED", probe.DriverError,
		"the virtual GPU has no licence", "look at the vGPU licence server and at nvidia-gridd on the node"},
	200: {"CUDA_ERROR_INVALID_IMAGE", probe.PTXRefused,
		"the driver does not take the kernel's code", "the driver may be too old, or its files be damaged: reinstall it on the node"},
	201: {"CUDA_ERROR_INVALID_CONTEXT", probe.DriverError,
		"the context is not valid any more", "an earlier fault has ended it: look for Xid messages in the node's kernel log (dmesg)"},
	205: {"CUDA_ERROR_MAP_FAILED", probe.DriverError,
		"memory could not be mapped", "look at the node's kernel log (dmesg) for \"NVRM\", and at the container's memory limit"},
	208: {"CUDA_ERROR_ALREADY_MAPPED", probe.DriverError,
		"memory is mapped already", "look at the node's kernel log (dmesg) for \"NVRM\""},
	209: {"CUDA_ERROR_NO_BINARY_FOR_GPU", probe.PTXRefused,
		"the driver cannot compile the kernel for this device: it is older than Volta (compute capability 7.0)", "such devices are not supported any more, by today's notebooks neither"},
	214: {"CUDA_ERROR_ECC_UNCORRECTABLE", probe.UncorrectedECC,
		"the device's memory has an error that ECC cannot correct (Xid 48, 63, 64, 94 or 95)", "drain the node and reset the GPU (`nvidia-smi -r`); if it comes back, have the device replaced"},
	215: {"CUDA_ERROR_UNSUPPORTED_LIMIT", probe.DriverError,
		"the device does not support a limit", "the driver may be too old for this device: update it on the node"},
	216: {"CUDA_ERROR_CONTEXT_ALREADY_IN_USE", probe.DeviceBusy,
		"the context is in use by another thread", "try again when the device is free"},
	217: {"CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", probe.DriverError,
		"the devices cannot reach each other's memory", "look at the node's topology (`nvidia-smi topo -m`)"},
	218: {"CUDA_ERROR_INVALID_PTX", probe.PTXRefused,
		"the driver's compiler refuses the kernel's code", "the driver's compiler (libnvidia-ptxjitcompiler) may be of another version than the driver, or damaged: reinstall the driver on the node"},
	219: {"CUDA_ERROR_INVALID_GRAPHICS_CONTEXT", probe.DriverError,
		"there is an error with a graphics context", "look at the node's kernel log (dmesg) for \"NVRM\""},
	220: {"CUDA_ERROR_NVLINK_UNCORRECTABLE", probe.DeviceUnhealthy,
		"NVLink has an error that cannot be corrected (Xid 74)", "look at `nvidia-smi nvlink -e` on the node; reset the GPUs, and have the link's hardware looked at"},
	221: {"CUDA_ERROR_JIT_COMPILER_NOT_FOUND", probe.PTXRefused,
		"the driver's compiler, libnvidia-ptxjitcompiler.so.1, is not in the container", "have the container toolkit inject it: NVIDIA_DRIVER_CAPABILITIES must contain compute"},
	222: {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", probe.DriverTooOld,
		"the driver's compiler is too old for the kernel's code (PTX 6.0)", tooOld},
	223: {"CUDA_ERROR_JIT_COMPILATION_DISABLED", probe.PTXRefused,
		"compilation by the driver is switched off", "take CUDA_DISABLE_PTX_JIT out of the container's environment"},
	226: {"CUDA_ERROR_CONTAINED", probe.DeviceUnhealthy,
		"the device contained a memory error to this process (Xid 94)", "drain the node and reset the GPU (`nvidia-smi -r`)"},
	300: {"CUDA_ERROR_INVALID_SOURCE", probe.PTXRefused,
		"the driver does not take the kernel's source", "reinstall the driver on the node: its compiler may be damaged"},
	301: {"CUDA_ERROR_FILE_NOT_FOUND", probe.DriverError,
		"the driver misses a file", "the container toolkit may have injected only part of the driver's libraries: look at its CDI file or its list"},
	302: {"CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", probe.DriverError,
		"the driver's libraries do not fit each other", "they are of different versions: look at what is in the image itself, and reinstall the driver on the node"},
	303: {"CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", probe.DriverError,
		"one of the driver's libraries could not be loaded", "the container toolkit may have injected only part of them: look at its CDI file or its list"},
	304: {"CUDA_ERROR_OPERATING_SYSTEM", probe.DriverError,
		"the operating system refused the driver something: a device file may be missing or closed (/dev/nvidia-uvm), or a limit be too low", "look whether nvidia-uvm is loaded on the node and injected into the container, and at seccomp, SELinux and memory limits"},
	400: {"CUDA_ERROR_INVALID_HANDLE", probe.DriverError,
		"the driver does not know a handle any more", "an earlier fault may have ended the context: look for Xid messages in the node's kernel log (dmesg)"},
	500: {"CUDA_ERROR_NOT_FOUND", probe.DriverError,
		"the driver does not find a name in the compiled kernels", "its compiler may be damaged: reinstall the driver on the node"},
	700: {"CUDA_ERROR_ILLEGAL_ADDRESS", probe.DriverError,
		"a kernel reached memory that is not mapped (Xid 31)", "the kernels do so on no sound device: reset the GPU; if it comes back, have the device replaced"},
	701: {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", probe.DriverError,
		"the device lacks resources to start a kernel", "a MIG or MPS share may be too small: see what was handed out (`nvidia-smi` on the node)"},
	702: {"CUDA_ERROR_LAUNCH_TIMEOUT", probe.DriverHangs,
		"a kernel was ended because it took too long (Xid 8)", "the device also serves a display, or is stuck: reset it"},
	704: {"CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", probe.DriverError,
		"access between the devices is on already", "try again"},
	710: {"CUDA_ERROR_ASSERT", probe.DriverError,
		"a kernel's assertion failed", "the kernels have none: the device or the driver is broken, reset the GPU"},
	714: {"CUDA_ERROR_HARDWARE_STACK_ERROR", probe.DeviceUnhealthy,
		"the device's call stack is damaged", "reset the GPU; if it comes back, have the device replaced"},
	715: {"CUDA_ERROR_ILLEGAL_INSTRUCTION", probe.DeviceUnhealthy,
		"a kernel met an instruction that the device does not know (Xid 13)", "the compiler or the device is broken: reset the GPU, reinstall the driver"},
	716: {"CUDA_ERROR_MISALIGNED_ADDRESS", probe.DriverError,
		"a kernel reached memory at a wrong boundary (Xid 13)", "the kernels do so on no sound device: reset the GPU"},
	717: {"CUDA_ERROR_INVALID_ADDRESS_SPACE", probe.DriverError,
		"a kernel used an address of the wrong kind", "the kernels do so on no sound device: reset the GPU"},
	718: {"CUDA_ERROR_INVALID_PC", probe.DeviceUnhealthy,
		"a kernel's program counter left the program", "the device is broken: reset the GPU; if it comes back, have it replaced"},
	719: {"CUDA_ERROR_LAUNCH_FAILED", probe.DriverError,
		"a kernel broke off on the device (often with Xid 13, 31 or 45)", "look for the Xid in the node's kernel log (dmesg), and reset the GPU"},
	721: {"CUDA_ERROR_TENSOR_MEMORY_LEAK", probe.DriverError,
		"tensor memory was not given back", "reset the GPU"},
	800: {"CUDA_ERROR_NOT_PERMITTED", probe.DriverError,
		"the driver does not permit it", "look at the compute mode, at MPS and at the vGPU's profile on the node"},
	801: {"CUDA_ERROR_NOT_SUPPORTED", probe.DriverError,
		"the driver or the device does not support it", "the virtual GPU's profile may exclude computing: take a C-series profile"},
	802: {"CUDA_ERROR_SYSTEM_NOT_READY", probe.DriverError,
		"the fabric manager does not run, or has not yet set up NVSwitch", "start nvidia-fabricmanager on the node, of exactly the driver's version, and look at its log"},
	803: {"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", probe.DriverTooOld,
		"the driver's library in the container and the node's kernel module are of different versions", "after a driver update the node must be restarted (or the module reloaded) and its pods started anew; a CUDA compat library in the image (/usr/local/cuda/compat) does the same: the node's driver is older than it needs"},
	804: {"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", probe.DriverTooOld,
		"the image brings a CUDA compat library, which does not work with this kind of device (only with data-centre GPUs)", "take /usr/local/cuda/compat out of the image's library path, or update the node's driver"},
	805: {"CUDA_ERROR_MPS_CONNECTION_FAILED", probe.DriverError,
		"the MPS daemon cannot be reached", "look at the MPS control daemon's pod on the node, and whether its pipe folder is in the container"},
	806: {"CUDA_ERROR_MPS_RPC_FAILURE", probe.DriverError,
		"the MPS server broke off", "look at the MPS server's log on the node"},
	807: {"CUDA_ERROR_MPS_SERVER_NOT_READY", probe.DeviceBusy,
		"the MPS server is not ready for new clients", "try again; look at the MPS server's log on the node"},
	808: {"CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", probe.DeviceBusy,
		"MPS has as many clients as it takes", "try again when other pods have ended"},
	809: {"CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED", probe.DeviceBusy,
		"MPS has as many connections as it takes", "try again when other pods have ended"},
	810: {"CUDA_ERROR_MPS_CLIENT_TERMINATED", probe.DriverError,
		"the MPS server ended this client, mostly because of another client's fault", "look at the MPS server's log on the node"},
	999: {"CUDA_ERROR_UNKNOWN", probe.DriverError,
		"the driver failed without saying why: often /dev/nvidia-uvm is missing or its module is not loaded, or the device has dropped off the bus", "look at the node's kernel log (dmesg) for \"NVRM\" and Xid, and at `nvidia-smi` on the node; a restart of the node helps where the device came back wrong from sleep or reset"},
}
