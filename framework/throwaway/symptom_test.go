package throwaway

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func waiting(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: containerName, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}}
}

func unscheduled(message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message}}}
}

func exited(code int32, reason string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{
		Name: containerName, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}}}}
}

// The samples are what kubelet 1.36 with containerd 1.6, and the scheduler, write.
func TestPodSymptoms(t *testing.T) {
	pull := `rpc error: code = Unknown desc = failed to pull and unpack image "r:5000/a:b": failed to resolve reference "r:5000/a:b": `
	const final = time.Duration(0)
	for _, c := range []struct {
		name      string
		status    corev1.PodStatus
		want      Cause // empty: healthy
		grace     time.Duration
		undecided bool
	}{
		{"new", corev1.PodStatus{Phase: corev1.PodPending}, "", 0, false},
		{"creating", waiting("ContainerCreating", ""), "", 0, false},
		{"no such tag", waiting("ErrImagePull", pull+"r:5000/a:b: not found"), ImageNotFound, final, false},
		{"no credentials", waiting("ErrImagePull", pull+"pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials"), ImageUnauthorized, final, false},
		{"wrong password", waiting("ErrImagePull", pull+"unexpected status code [manifests b]: 401 Unauthorized"), ImageUnauthorized, final, false},
		{"wrong password, repeated", waiting("ImagePullBackOff", `Back-off pulling image "r:5000/a:b": ErrImagePull: `+pull+"unexpected status code [manifests b]: 401 Unauthorized"), ImageUnauthorized, final, false},
		{"back-off alone", waiting("ImagePullBackOff", `Back-off pulling image "r:5000/a:b"`), ImagePull, 20 * time.Second, false},
		{"registry's CA", waiting("ErrImagePull", pull+`failed to do request: Head "https://r:5000/v2/a/manifests/b": x509: certificate signed by unknown authority`), ImageUntrusted, final, false},
		{"plain registry", waiting("ErrImagePull", pull+"http: server gave HTTP response to HTTPS client"), ImageUntrusted, final, false},
		{"no such registry", waiting("ErrImagePull", pull+`failed to do request: Head "https://r:5000/v2/a/manifests/b": dial tcp: lookup r on 10.0.0.1:53: no such host`), ImageHostUnknown, 5 * time.Second, false},
		{"resolver down", waiting("ErrImagePull", pull+`failed to do request: Head "https://r/v2/a/b/manifests/c": dial tcp: lookup r on 10.0.0.1:53: read udp 10.0.0.2:1->10.0.0.1:53: i/o timeout`), ImageHostUnknown, 5 * time.Second, false},
		{"capitals in the name", waiting("ErrImagePull", `failed to parse image reference "R/A:latest": invalid reference format: repository name must be lowercase`), ImageInvalid, final, false},
		{"registry down", waiting("ErrImagePull", pull+`failed to do request: Head "https://r:5000/v2/a/manifests/b": dial tcp 10.0.0.1:5000: connect: connection refused`), RegistryDown, 15 * time.Second, false},
		{"corrupted blob", waiting("ErrImagePull", `rpc error: code = FailedPrecondition desc = failed to pull and unpack image "r:5000/a:b": failed commit on ref "layer-sha256:1": unexpected commit digest sha256:2, expected sha256:1: failed precondition`), ImageCorrupt, 5 * time.Second, false},
		{"other architecture", waiting("ErrImagePull", `rpc error: code = NotFound desc = failed to pull and unpack image "r:5000/a:b": no match for platform in manifest: not found`), ImagePlatform, final, false},
		{"wrong name", waiting("InvalidImageName", `Failed to apply default image tag "R/A": couldn't parse image name`), ImageInvalid, final, false},
		{"root image", waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), ContainerConfig, 3 * time.Second, false},
		{"no such program", exited(128, "StartError"), ContainerStart, final, false},
		{"own failure", exited(1, "Error"), "", 0, false},
		{"out of memory", exited(137, "OOMKilled"), OutOfMemory, final, false},
		{"evicted", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}, Evicted, final, true},
		{"too late", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded", Message: "Pod was active on the node longer than the specified deadline"}, DeadlineOfPod, final, false},
		{"kubelet refuses", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "UnexpectedAdmissionError", Message: "Allocate failed"}, RefusedByNode, final, true},
		{"full", unscheduled("0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."), NoRoom, schedulerGrace, true},
		{"wrong selector", unscheduled("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."), Unschedulable, schedulerGrace, false},
		{"tainted", unscheduled("0/2 nodes are available: 2 node(s) had untolerated taint {a: b}."), Unschedulable, schedulerGrace, false},
		{"claim being made", unscheduled("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"), ProvisioningFailed, never, false},
		{"claim missing", unscheduled(`0/2 nodes are available: persistentvolumeclaim "x" not found.`), Unschedulable, schedulerGrace, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := podSymptom(&corev1.Pod{Status: c.status})
			if s == nil {
				if c.want != "" {
					t.Fatalf("nothing found, want %q", c.want)
				}
				return
			}
			if s.cause != c.want || s.grace != c.grace || s.undecided != c.undecided {
				t.Errorf("got %q grace %v undecided %v, want %q %v %v", s.cause, s.grace, s.undecided, c.want, c.grace, c.undecided)
			}
			if s.why == "" || s.do == "" {
				t.Errorf("no advice: %+v", s)
			}
		})
	}
}

func event(reason, message string, at int) corev1.Event {
	return corev1.Event{Reason: reason, Message: message, Type: corev1.EventTypeWarning, LastTimestamp: metav1.Unix(int64(at), 0)}
}

func TestPodEvents(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []corev1.Event
		want   Cause
	}{
		{"none", nil, ""},
		{"mount", []corev1.Event{event("Scheduled", "", 1), event("FailedMount", `MountVolume.SetUp failed for volume "pvc-1" : rpc error: code = Internal desc = mount failed: wrong fs type`, 2)}, MountFailed},
		{"driver missing", []corev1.Event{event("FailedMount", `MountVolume.MountDevice failed for volume "pvc-1" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name rbd.csi.ceph.com not found in the list of registered CSI drivers`, 2)}, MountFailed},
		{"healed", []corev1.Event{event("FailedMount", "MountVolume.SetUp failed", 2), event("Pulling", "", 3)}, ""},
		{"multi-attach", []corev1.Event{event("FailedAttachVolume", `Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node`, 2)}, AttachFailed},
		{"image", []corev1.Event{event("Pulling", "", 1), event("Failed", `Failed to pull image "x": rpc error: code = NotFound desc = x: not found`, 2), event("BackOff", "Back-off pulling image", 3)}, ImageNotFound},
		{"sandbox", []corev1.Event{event("FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: plugin type=\"ptp\" failed", 2)}, SandboxFailed},
		{"autoscaler", []corev1.Event{event("FailedScheduling", "0/2 nodes", 1), event("TriggeredScaleUp", "pod triggered scale-up", 2)}, Unschedulable},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Cause
			if s := podEventSymptom(c.events); s != nil {
				got = s.cause
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestClaimEvents(t *testing.T) {
	waits := event("ExternalProvisioning", `Waiting for a volume to be created either by the external provisioner 'rbd.csi.ceph.com' or manually by the system administrator.`, 1)
	for _, c := range []struct {
		name   string
		events []corev1.Event
		age    time.Duration
		want   Cause
		grace  time.Duration
	}{
		{"young", []corev1.Event{waits}, time.Second, "", 0},
		{"provisioner dead", []corev1.Event{waits}, time.Minute, ProvisionerSilent, 0},
		{"provisioner dead, class that binds late", []corev1.Event{waits, event("WaitForFirstConsumer", "waiting for first consumer to be created before binding", 1)}, time.Minute, ProvisionerSilent, 0},
		{"provisioner at work", []corev1.Event{waits, event("Provisioning", "External provisioner is provisioning volume", 2)}, time.Minute, "", 0},
		{"no such class", []corev1.Event{event("ProvisioningFailed", `storageclass.storage.k8s.io "nope" not found`, 1)}, time.Second, ProvisioningFailed, 0},
		{"backend full", []corev1.Event{waits, event("ProvisioningFailed", `failed to provision volume with StorageClass "ceph-rbd": rpc error: code = ResourceExhausted desc = pool is full`, 2)}, time.Second, ProvisioningFailed, 0},
		{"backend slow", []corev1.Event{event("ProvisioningFailed", `failed to provision volume with StorageClass "ceph-rbd": rpc error: code = DeadlineExceeded desc = context deadline exceeded`, 2)}, time.Second, ProvisioningFailed, 10 * time.Second},
		{"healed", []corev1.Event{event("ProvisioningFailed", "x", 2), event("ProvisioningSucceeded", "", 3)}, time.Minute, "", 0},
		{"no default class", []corev1.Event{event("FailedBinding", "no persistent volumes available for this claim and no storage class is set", 2)}, time.Second, ProvisioningFailed, 5 * time.Second},
		{"resizer dead", []corev1.Event{event("ProvisioningSucceeded", "", 1), event("ExternalExpanding", "waiting for an external controller to expand this PVC", 2)}, time.Minute, ResizerSilent, 0},
		{"resizer at work", []corev1.Event{event("Resizing", "External resizer is resizing volume", 2), event("ExternalExpanding", "waiting for an external controller to expand this PVC", 2)}, time.Minute, "", 0},
		{"late binding", []corev1.Event{event("WaitForFirstConsumer", "waiting for first consumer to be created before binding", 2)}, time.Minute, WaitingForConsumer, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := claimEventSymptom(c.events, c.age)
			if s == nil {
				s = &symptom{}
			}
			if s.cause != c.want || s.grace != c.grace {
				t.Errorf("got %q grace %v, want %q %v", s.cause, s.grace, c.want, c.grace)
			}
		})
	}
}

func TestPatience(t *testing.T) {
	start := time.Unix(1000, 0)
	slow := &symptom{cause: NoRoom, grace: 8 * time.Second}
	var p patience
	if worn, left := p.worn(slow, start); worn || left != 8*time.Second {
		t.Errorf("at once: %v %v", worn, left)
	}
	if worn, left := p.worn(slow, start.Add(5*time.Second)); worn || left != 3*time.Second {
		t.Errorf("after 5 s: %v %v", worn, left)
	}
	if worn, _ := p.worn(slow, start.Add(8*time.Second)); !worn {
		t.Error("not worn after its grace")
	}
	p.worn(nil, start.Add(9*time.Second)) // it healed
	if worn, _ := p.worn(slow, start.Add(10*time.Second)); worn {
		t.Error("an earlier spell was counted")
	}
	if worn, left := p.worn(&symptom{grace: never}, start.Add(time.Hour)); worn || left != 0 {
		t.Error("a symptom without end wore out")
	}
}
