package gpu

import (
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// computes is what the smoke job proves.
const computes = "a pod with one GPU computes on it, and correctly"

// advice is what a kind of trouble means: which layer is broken, why, and what to do.
type advice struct {
	layer, why, do string
	undecided      bool
}

const (
	outOfService = "take the node out of service (kubectl cordon), see nvidia-smi -q and the Xid messages in its kernel log, and have the GPU exchanged (RMA)"
	readToolkit  = "see that the pod gets NVIDIA's runtime: gpu.runtimeClass is answered, or nvidia is the nodes' default runtime, or CDI is enabled; then the toolkit's log on the node"
	asUsers      = "users' notebooks would compute wrongly, and nobody would notice"
)

// layers are what is broken where a kind of trouble shows, whatever the stage.
var layers = map[string]advice{
	probe.NoDeviceFiles: {layer: "the container toolkit or the device plugin",
		why: "the pod asked for a GPU, was scheduled and started, but no device file was put into it: NVIDIA's runtime was not used, or the toolkit does not heed the way in which the device plugin names devices",
		do:  readToolkit + "; compare DEVICE_LIST_STRATEGY of the device plugin with accept-nvidia-visible-devices-as-volume-mounts of the toolkit"},
	probe.NoDriverLibrary: {layer: "the container toolkit",
		why: "it did not put the driver's libraries (libcuda.so.1, libnvidia-ml.so.1) into the container: NVIDIA's runtime was not used, or the driver is not where the toolkit looks for it",
		do:  readToolkit + "; where the driver runs in a container, see that /run/nvidia/driver is mounted"},
	probe.NoGlibc: {layer: "the image", undecided: true,
		why: "the driver's libraries need glibc, and the image has none, so that nothing of the GPU was tried",
		do:  "use an image that has glibc (not one of musl or from scratch); the runner's own comes with it from make image"},
	probe.DriverTooOld: {layer: "the driver",
		why: "the node's driver is older than what the container needs",
		do:  "upgrade the node's driver (the operator's ClusterPolicy, spec.driver.version), or use images of an older CUDA"},
	probe.DriverHangs: {layer: "the driver",
		why: "the driver does not answer: a GPU that fell off the bus, a stuck GSP firmware, or a fabric manager that waits",
		do:  "see the node's kernel log for Xid messages (79: off the bus, 119: GSP), drain the node, and reset the GPU or restart the node"},
	probe.DriverCrashed: {layer: "the driver",
		why: "the driver's library and the kernel module are of different versions, or the installation is damaged",
		do:  "compare nvidia-smi on the node with /proc/driver/nvidia/version; install the driver anew and restart the node"},
	probe.NoDevice: {layer: "the device plugin or the container toolkit",
		why: "the driver is there, but shows no device: the GPU that was handed out is not in the container, or is lost",
		do:  "run nvidia-smi -L on the node; if it lists the GPU, restart the device plugin's pod there"},
	probe.WrongDeviceCount: {layer: "the device plugin or the container toolkit",
		why: "the container sees other devices than it asked for, such as GPUs of other pods: the toolkit heeds NVIDIA_VISIBLE_DEVICES of the image, or the device plugin hands out all",
		do:  "see which devices the device plugin names (NVIDIA_VISIBLE_DEVICES in the container), and whether the image sets that variable itself"},
	probe.DeviceBusy: {layer: "the GPU's use", undecided: true,
		why: "somebody past Kubernetes uses the device, or it is in compute mode exclusive",
		do:  "run nvidia-smi on the node: its processes and its compute mode (nvidia-smi -c DEFAULT)"},
	probe.OutOfDeviceMemory: {layer: "the GPU's use", undecided: true,
		why: "the device's memory is taken by somebody past Kubernetes, or by pods that share it by time slicing, which limits no memory",
		do:  "run nvidia-smi on the node to see who holds it; or answer a smaller gpu.testMemory"},
	probe.PTXRefused: {layer: "CUDA",
		why: "the driver's compiler does not take a kernel for Volta or newer: the driver is too old for PTX 6.0, or libnvidia-ptxjitcompiler.so.1 was not put into the container",
		do:  "upgrade the node's driver; see that the toolkit mounts libnvidia-ptxjitcompiler.so.1 (NVIDIA_DRIVER_CAPABILITIES must hold compute)"},
	probe.WrongResult: {layer: "the GPU itself",
		why: "it computes wrongly: " + asUsers, do: outOfService},
	probe.BadMemory: {layer: "the GPU itself",
		why: "its memory does not keep what was written: " + asUsers, do: outOfService},
	probe.UncorrectedECC: {layer: "the GPU itself",
		why: "its memory has errors that ECC could not correct", do: outOfService},
	probe.DeviceUnhealthy: {layer: "the GPU itself",
		why: "it slows itself down, or cannot repair its memory: heat, power, or a defect", do: outOfService},
}

// driverErrors are what is broken where the driver itself returns an error, by stage.
var driverErrors = map[string]advice{
	probe.StageInit: {layer: "the driver",
		why: "the driver does not initialise: its kernel module and libraries do not fit together, or on machines with NVSwitch the fabric manager does not run",
		do:  "run nvidia-smi on the node; see the fabric manager (systemctl status nvidia-fabricmanager), then restart the node"},
	probe.StageDevices: {layer: "the device plugin or the container toolkit",
		why: "the driver cannot describe the device that was handed out", do: "run nvidia-smi -L on the node and restart the device plugin's pod there"},
	probe.StageContext: {layer: "CUDA or the driver",
		why: "no context can be made on the device", do: "run nvidia-smi on the node: compute mode, other processes, Xid messages"},
	probe.StageKernel: {layer: "CUDA or the driver",
		why: "the kernel could not be loaded or started", do: "compare the driver's version with the CUDA version that images need; upgrade the driver"},
}

// judge says which layer a node's result shows to be broken; nil if all works.
func judge(r probe.GPUResult) *finding.Finding {
	broken := r.Broken()
	if broken == nil {
		for _, stage := range []string{probe.StageSum, probe.StageProduct, probe.StageMemory} {
			if r.Stage(stage) == nil {
				return finding.NotDecided(computes, fmt.Sprintf("the probe ended before stage %q", stage), "it was stopped", "run it again")
			}
		}
		return nil
	}
	if broken.Trouble.Kind == probe.Stopped {
		return finding.NotDecided(computes, fmt.Sprintf("stage %q: %s", broken.Name, broken.Trouble.Error()), "the pod was told to end before it was done", "run it again")
	}
	a := adviceOn(*broken)
	state := " is broken"
	if a.undecided {
		state = ""
	}
	found := fmt.Sprintf("%s%s (stage %q): %s", a.layer, state, broken.Name, broken.Trouble.Error())
	if broken.Code != "" && !strings.Contains(found, broken.Code) {
		found += ", " + broken.Code
	}
	if broken.Call != "" && !strings.Contains(found, broken.Call) {
		found += ", in " + broken.Call
	}
	if health := r.Stage(probe.StageHealth); health != nil && health.Trouble != nil && health != broken {
		found += "; besides, " + health.Trouble.Error()
	}
	f := finding.Failed(computes, found, a.why, a.do)
	f.Undecided = a.undecided
	return f
}

// ourProgram is what the probe starts to speak to the driver; its own trouble is not the GPU's.
const ourProgram = "probe-gpu"

func adviceOn(stage probe.GPUStage) advice {
	switch stage.Trouble.Kind {
	case probe.Missing, probe.Denied, probe.Other:
		if strings.Contains(stage.Trouble.Message, ourProgram) {
			return advice{layer: "the image", undecided: true, why: "the program that speaks to the driver could not be started, so that nothing of the GPU was tried",
				do: "see that runner.image is of the runner's version, for the nodes' processors, and that volumes are not mounted noexec"}
		}
	}
	if a, known := layers[stage.Trouble.Kind]; known {
		return a
	}
	if a, known := driverErrors[stage.Name]; known {
		return a
	}
	switch stage.Name {
	case probe.StageFiles, probe.StageLibrary:
		return advice{layer: "the container toolkit", why: "what it put into the container cannot be used", do: readToolkit}
	}
	return advice{layer: "the GPU or its driver", why: "the driver reports an error while the device works", do: outOfService}
}

// reads tells whether a result names the devices, whatever came after.
func reads(r probe.GPUResult) bool { return len(r.Devices) > 0 }
