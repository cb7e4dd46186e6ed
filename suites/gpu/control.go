package gpu

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

// controlTime bounds each pod of the negative control.
const controlTime = 75 * time.Second

// allDevices asks NVIDIA's container toolkit for every GPU of the node, past the scheduler and
// the device plugin. Unless it is told otherwise, it obeys
// (https://github.com/NVIDIA/k8s-device-plugin, "device-list-strategy").
var allDevices = corev1.EnvVar{Name: "NVIDIA_VISIBLE_DEVICES", Value: "all"}

// control is the negative control: a pod beside the smoke jobs that asks for no GPU.
type control struct {
	node string
	// sees is what the pod saw that has allDevices.
	sees probe.GPUResult
	// plain is what a pod without it saw; only asked where the first saw something.
	plain *probe.GPUResult
	// plainWhy is why that could not be asked.
	plainWhy error
	// guarded tells whether the toolkit refused to start the pod at all for its variable.
	guarded bool
	// why is why nothing was seen.
	why *finding.Finding
}

// runControl starts the pod on the node and, where it sees a device, a second one that tells
// which hole it is.
func runControl(ctx context.Context, kit *throwaway.Kit, gpu answers.GPU, n node, turns *turns) *control {
	c := &control{node: n.name}
	var err error
	if c.sees, err = look(ctx, kit, controlPod("no-gpu", gpu, n, allDevices, capabilities), turns); err != nil {
		if c.guarded = strings.Contains(err.Error(), guardedWords); !c.guarded {
			f := *kubeerr.FromAPI(err, "a pod without a GPU request looks for devices")
			f.Undecided = true
			c.why = &f
		}
		return c
	}
	if c.sees.Count > 0 {
		plain, err := look(ctx, kit, controlPod("plain", gpu, n), turns)
		if c.plainWhy = err; err == nil {
			c.plain = &plain
		}
	}
	return c
}

// guardedWords is how releases of the toolkit before 1.14 refuse the variable.
const guardedWords = "insufficient privileges to read device list"

// controlPod is one like a smoke job's, without a GPU request.
func controlPod(name string, gpu answers.GPU, n node, env ...corev1.EnvVar) throwaway.PodOptions {
	options := gpuPod(name, gpu, n)
	options.Args, options.Env, options.Deadline = probe.GPUOptions{NoGPU: true}.Args(), env, controlTime
	return options
}

// look runs one pod without a GPU request.
func look(ctx context.Context, kit *throwaway.Kit, options throwaway.PodOptions, turns *turns) (result probe.GPUResult, err error) {
	err = turns.take(ctx, func(accepted func()) error {
		ctx, cancel := context.WithTimeout(ctx, controlTime)
		defer cancel()
		pod, err := kit.Pod(ctx, options)
		if err != nil {
			return err
		}
		accepted()
		report, err := pod.Finished(ctx)
		if err != nil {
			return err
		}
		if result, err = probe.Decode[probe.GPUResult](report.Message); err != nil {
			return noResult("a pod without a GPU request looks for devices", err, report.ExitCode)
		}
		return nil
	})
	return result, err
}

// judge says through which hole a pod without a GPU request gets one; nil if it gets none.
func (c *control) judge() *finding.Finding {
	const expected = "a pod that asks for no GPU sees none"
	switch {
	case c.guarded:
		return nil
	case c.why != nil:
		return c.why
	case c.sees.Count == 0 && blind(c.sees) != nil:
		return finding.NotDecided(expected, fmt.Sprintf("node %s: the driver is there, and does not tell: %s", c.node, blind(c.sees).Error()),
			"an unprivileged pod without a GPU request gets NVIDIA's driver", "see item 1.2.3, and the container toolkit's configuration")
	case c.sees.Count == 0:
		return nil
	}
	found := fmt.Sprintf("node %s: an unprivileged pod without a GPU request sees %s", c.node, devices(c.sees))
	switch {
	case c.plain == nil:
		return finding.Failed(expected, found+" with NVIDIA_VISIBLE_DEVICES=all; whether it does without could not be tried: "+c.plainWhy.Error(),
			"the container toolkit gives out GPUs past the scheduler: two users may get the same one, and quotas do not count", closeHole)
	case c.plain.Count > 0:
		return finding.Failed(expected, found+", even without any variable",
			"NVIDIA's runtime gives all GPUs to every container that it starts, or the images' own variables do: two users may get the same GPU, and quotas do not count",
			"see who mounts the devices: a mutating webhook, CDI annotations, or the runtime's configuration on the node (/etc/nvidia-container-runtime/config.toml); "+closeHole)
	}
	return finding.Failed(expected, found+" by setting NVIDIA_VISIBLE_DEVICES=all",
		"the container toolkit heeds that variable in unprivileged containers (accept-nvidia-visible-devices-envvar-when-unprivileged is true, as it is unless set): any user may take every GPU, past scheduler and quotas",
		closeHole)
}

// blind is why a driver that is there could not be asked for devices, nil if it could. Without a
// driver, the device files were counted.
func blind(r probe.GPUResult) *probe.Trouble {
	if broken := r.Broken(); broken != nil && broken.Name != probe.StageFiles && broken.Name != probe.StageLibrary {
		return broken.Trouble
	}
	return nil
}

// closeHole is NVIDIA's own advice for clusters of many users
// (k8s-device-plugin, "Read list of GPU devices from volume mounts instead of NVIDIA_VISIBLE_DEVICES").
const closeHole = "set accept-nvidia-visible-devices-envvar-when-unprivileged = false and accept-nvidia-visible-devices-as-volume-mounts = true for the toolkit, " +
	"and DEVICE_LIST_STRATEGY=volume-mounts (or CDI) for the device plugin; with the operator, in its ClusterPolicy: " +
	"toolkit.env ACCEPT_NVIDIA_VISIBLE_DEVICES_ENVVAR_WHEN_UNPRIVILEGED=false and ACCEPT_NVIDIA_VISIBLE_DEVICES_AS_VOLUME_MOUNTS=true, devicePlugin.env DEVICE_LIST_STRATEGY"

// devices words what a result shows of devices.
func devices(r probe.GPUResult) string {
	text := fmt.Sprintf("%d GPUs", r.Count)
	if r.Count == 1 {
		text = "1 GPU"
	}
	var models []string
	for _, d := range r.Devices {
		models = append(models, d.Name)
	}
	if len(models) > 0 {
		text += " (" + names(models) + ")"
	}
	return text
}
