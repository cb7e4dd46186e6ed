package throwaway

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// initStatus is that of a pod whose init container has the state.
func initStatus(phase corev1.PodPhase, state corev1.ContainerState) corev1.PodStatus {
	s := waiting("PodInitializing", "")
	s.Phase, s.InitContainerStatuses = phase, []corev1.ContainerStatus{{Name: copierName, State: state}}
	return s
}

func TestInitContainerSymptoms(t *testing.T) {
	ended := func(code int32, reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
	}
	held := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	for _, c := range []struct {
		name   string
		status corev1.PodStatus
		want   Cause
	}{
		{"being created", initStatus(corev1.PodPending, held("PodInitializing", "")), ""},
		{"at work", initStatus(corev1.PodPending, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), ""},
		{"done", initStatus(corev1.PodPending, ended(0, "Completed", "")), ""},
		{"image missing", initStatus(corev1.PodPending, held("ErrImagePull", "r/a:b: not found")), ImageNotFound},
		{"failed", initStatus(corev1.PodFailed, ended(1, "Error", "no space left on device")), EndedEarly},
		{"no such program", initStatus(corev1.PodFailed, ended(128, "StartError", "exec: /probe: no such file")), ContainerStart},
		{"out of memory", initStatus(corev1.PodFailed, ended(137, "OOMKilled", "")), OutOfMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Cause
			if s := podSymptom(&corev1.Pod{Status: c.status}); s != nil {
				got = s.cause
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	pod := &corev1.Pod{Status: initStatus(corev1.PodPending, ended(0, "Completed", ""))}
	if got := describePod(pod); got != "phase Pending, init container copy-probe ended with exit code 0, container waiting: PodInitializing" {
		t.Errorf("got %q", got)
	}
}

// The samples are what kubelet and scheduler 1.36, containerd and NVIDIA's container toolkit write.
func TestDeviceSymptoms(t *testing.T) {
	refused := func(why string) corev1.PodStatus {
		return corev1.PodStatus{Phase: corev1.PodFailed, Reason: "UnexpectedAdmissionError",
			Message: "Pod was rejected: Allocate failed due to " + why + ", which is unexpected"}
	}
	start := exited(128, "StartError")
	start.ContainerStatuses[0].State.Terminated.Message = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: driver not loaded"
	for _, c := range []struct {
		name      string
		status    corev1.PodStatus
		want      Cause
		undecided bool
	}{
		{"all taken", unscheduled("0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) didn't match Pod's node affinity/selector. preemption: not eligible"), NoRoom, true},
		{"all claimed", unscheduled("0/2 nodes are available: 1 cannot allocate all claims, 1 node(s) didn't match Pod's node affinity/selector. still not schedulable"), NoRoom, true},
		{"no class", unscheduled("0/2 nodes are available: request devices: device class gpu.nvidia.com does not exist. still not schedulable"), Unschedulable, false},
		{"claim not made", unscheduled(`0/2 nodes are available: pod "n"/"p": ResourceClaim not created yet`), ClaimNotMade, false},
		{"plugin dead", refused("rpc error: code = Unavailable desc = connection error"), DeviceRefused, false},
		{"plugin not back", refused("cannot allocate unregistered device nvidia.com/gpu"), DeviceRefused, false},
		{"unhealthy", refused("no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu"), DeviceRefused, false},
		{"taken in between", refused("requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0"), DeviceRefused, true},
		{"no driver on the node", start, DeviceNotGiven, false},
		{"no CDI specification", waiting("CreateContainerError", "failed to generate spec: CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=0"), DeviceNotGiven, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := podSymptom(&corev1.Pod{Status: c.status})
			if s == nil || s.cause != c.want || s.undecided != c.undecided || s.why == "" || s.do == "" {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestDeviceEvents(t *testing.T) {
	for _, c := range []struct {
		name, reason, message string
		want                  Cause
	}{
		{"no plugin of the claimed driver", "FailedPrepareDynamicResources", "Failed to prepare dynamic resources: prepare dynamic resources: DRA driver gpu.nvidia.com is not registered", DeviceNotPrepared},
		{"claim refused", "FailedResourceClaimCreation", `PodResourceClaim devices: resourceclaimtemplates.resource.k8s.io "x" not found`, ClaimNotMade},
		{"handler unknown", "FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "nvidia" is configured`, NoRuntimeHandler},
		{"runtime missing", "FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox: OCI runtime create failed: unable to retrieve OCI runtime error: exec: "nvidia-container-runtime": executable file not found in $PATH`, DeviceNotGiven},
		{"no network", "FailedCreatePodSandBox", `Failed to create pod sandbox: plugin type="ptp" failed`, SandboxFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := podEventSymptom([]corev1.Event{event(c.reason, c.message, 1)})
			if s == nil || s.cause != c.want || s.why == "" || s.do == "" {
				t.Errorf("got %+v", s)
			}
		})
	}
}
