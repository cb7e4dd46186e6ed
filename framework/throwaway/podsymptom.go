package throwaway

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// schedulerGrace is how long a pod may be unschedulable: an autoscaler or a pod that is just
// leaving may still make room.
const schedulerGrace = 8 * time.Second

// podSymptom returns what a pod's status says is wrong with it, nil for a healthy one. The
// states are those of kubelet and scheduler (kubernetes, pkg/kubelet/images, kuberuntime,
// eviction; pkg/scheduler).
func podSymptom(pod *corev1.Pod) *symptom {
	if s := endSymptom(pod); s != nil {
		return s
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return scheduleSymptom(condition)
		}
	}
	for _, container := range containersOf(pod) {
		if container.State.Waiting != nil {
			if s := waitingSymptom(container.State.Waiting); s != nil {
				return s
			}
		}
	}
	return nil
}

// containersOf returns the states of all containers, in the order in which they start.
func containersOf(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// endSymptom recognises pods that ended for a reason that is not their program's.
func endSymptom(pod *corev1.Pod) *symptom {
	status := pod.Status
	if status.Phase == corev1.PodFailed {
		switch {
		case status.Reason == "Evicted":
			return &symptom{cause: Evicted, text: status.Message, undecided: true,
				why: "the node ran short of a resource", do: "run again; see the node's pressure conditions"}
		case status.Reason == "DeadlineExceeded":
			return &symptom{cause: DeadlineOfPod, text: status.Message,
				why: "the pod did not end in its time", do: "see what it was last busy with"}
		case status.Reason != "" && len(status.ContainerStatuses) == 0:
			// UnexpectedAdmissionError, NodeAffinity, OutOfcpu, SysctlForbidden, ...
			if s := deviceRefused(status.Message); s != nil {
				return s
			}
			return &symptom{cause: RefusedByNode, text: status.Reason + ": " + status.Message, undecided: true,
				why: "the kubelet refused the pod that the scheduler sent", do: "run again; see the node's kubelet"}
		}
	}
	for _, condition := range status.Conditions {
		if condition.Type == corev1.DisruptionTarget && condition.Status == corev1.ConditionTrue {
			return &symptom{cause: Evicted, text: condition.Reason + ": " + condition.Message, undecided: true,
				why: "the pod was evicted or preempted", do: "run again when the cluster is quieter"}
		}
	}
	for _, container := range pod.Status.InitContainerStatuses {
		// The pod's own container will not start: it stays "PodInitializing" for ever.
		if ended := container.State.Terminated; ended != nil && ended.ExitCode != 0 {
			if s := stopSymptom(ended); s != nil {
				return s
			}
			return &symptom{cause: EndedEarly, text: fmt.Sprintf("init container %s: exit code %d: %s", container.Name, ended.ExitCode, ended.Message),
				why: "what must be there before the pod's own program could not be prepared", do: "see the message"}
		}
	}
	if ended := terminated(pod); ended != nil {
		return stopSymptom(ended)
	}
	return nil
}

// stopSymptom recognises a container that was stopped, or not even started, by its node.
func stopSymptom(ended *corev1.ContainerStateTerminated) *symptom {
	switch ended.Reason {
	case "OOMKilled":
		return &symptom{cause: OutOfMemory, text: fmt.Sprintf("exit code %d", ended.ExitCode),
			why: "the container needed more memory than its limit", do: "raise the limit"}
	case "StartError", "ContainerCannotRun":
		if s := deviceNotGiven(ended.Message); s != nil {
			return s
		}
		return &symptom{cause: ContainerStart, text: ended.Message,
			why: "the image has no such program, or it cannot run as this user", do: "correct the image or the command"}
	}
	return nil
}

// waitingSymptom explains why a container does not start.
func waitingSymptom(waiting *corev1.ContainerStateWaiting) *symptom {
	switch waiting.Reason {
	case "ContainerCreating", "PodInitializing", "":
		return nil
	case "ErrImagePull", "RegistryUnavailable":
		return imageTrouble(waiting.Message)
	case "ImagePullBackOff":
		// Since 1.31 the message repeats the error; before, it only names the image, and the
		// error has to be known from earlier or from events.
		if _, reason, found := strings.Cut(waiting.Message, ": "); found && strings.Contains(reason, ":") {
			return imageTrouble(waiting.Message)
		}
		return &symptom{cause: ImagePull, text: waiting.Message, grace: 20 * time.Second,
			why: "the node could not pull the image", do: "see the pod's events"}
	case "InvalidImageName":
		return &symptom{cause: ImageInvalid, text: waiting.Message, why: "the image's name breaks the rules of image references",
			do: "correct the image's name in the answers file"}
	case "ErrImageNeverPull":
		return &symptom{cause: ImageNotFound, text: waiting.Message, why: "the pull policy is Never and the node does not have the image",
			do: "use another pull policy"}
	case "SignatureValidationFailed":
		return &symptom{cause: ImageRefused, text: waiting.Message, why: "the node's policy accepts signed images only",
			do: "sign the image"}
	case "CreateContainerConfigError", "CreateContainerError":
		if s := deviceNotGiven(waiting.Message); s != nil {
			s.grace = 3 * time.Second
			return s
		}
		return &symptom{cause: ContainerConfig, text: waiting.Reason + ": " + waiting.Message, grace: 3 * time.Second,
			why: "a secret or config map that the pod names is missing, or the image's user is not allowed", do: "correct what the message names"}
	case "RunContainerError", "CrashLoopBackOff", "PostStartHookError":
		if s := deviceNotGiven(waiting.Message); s != nil {
			s.grace = 3 * time.Second
			return s
		}
		return &symptom{cause: ContainerStart, text: waiting.Reason + ": " + waiting.Message, grace: 3 * time.Second,
			why: "the container's program cannot be started", do: "correct the image or the command"}
	}
	return &symptom{cause: ContainerStart, text: waiting.Reason + ": " + waiting.Message, grace: never,
		why: "the container does not start", do: "see the pod's events"}
}

// claimMissing is why the scheduler passes a pod over whose claim it has not seen.
const claimMissing = "the pod's claim is not there"

// scheduleSymptom tells a full cluster, which decides nothing, from a rule that no node
// meets, and both from a claim that is still being provisioned.
func scheduleSymptom(condition corev1.PodCondition) *symptom {
	message := condition.Message
	s := &symptom{cause: Unschedulable, text: message, grace: schedulerGrace,
		why: "no node meets the pod's node selector, tolerations, affinity or volumes",
		do:  "compare the message with the nodes' labels and taints, and with runner.nodeSelector and runner.tolerations in the answers file"}
	switch {
	case condition.Reason == corev1.PodReasonSchedulingGated:
		s.cause, s.undecided, s.grace = HeldBack, true, queueGrace
		s.why = "a scheduling gate holds the pod back: a queue (Kueue or the like) has no room for it at the moment, or does not know its namespace"
		s.do = "see who sets scheduling gates on pods here, and the namespace's queue; run again when it has room"
	case strings.Contains(message, "unbound immediate PersistentVolumeClaims"), strings.Contains(message, "waiting for first consumer"),
		strings.Contains(message, "binding volumes"), strings.Contains(message, "running PreBind plugin"),
		strings.Contains(message, "didn't find available persistent volumes to bind"):
		s.cause, s.why, s.do = ProvisioningFailed, "the pod's claim is not bound", "see the claim's events and the provisioner"
		s.grace = never // the claim's own events decide
	case strings.Contains(message, "persistentvolumeclaim") && strings.Contains(message, "not found"):
		s.why, s.do = claimMissing, "see who deleted it"
	case strings.Contains(message, "node(s) exceed max volume count"):
		s.cause, s.undecided = NoRoom, true
		s.why, s.do = "every suitable node has its maximum of volumes attached (CSINode)", "run again when fewer volumes are in use"
	case claimedDevices(message, s):
	case strings.Contains(message, "Insufficient ") || strings.Contains(message, "Too many pods"):
		s.cause, s.undecided = NoRoom, true
		s.why, s.do = "the nodes that are suitable are full at the moment", "run again when they are not, or add nodes"
	case condition.Reason != corev1.PodReasonUnschedulable:
		s.grace = never // SchedulerError and the like are retried
	}
	return s
}

// terminated returns how the pod's container ended, nil if it has not.
func terminated(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for _, container := range pod.Status.ContainerStatuses {
		if container.Name == containerName {
			return container.State.Terminated
		}
	}
	return nil
}

// killed says whether the pod's container was stopped because the pod is being deleted, before
// it had anything to report.
func killed(pod *corev1.Pod) bool {
	ended := terminated(pod)
	return pod.DeletionTimestamp != nil && ended != nil && ended.ExitCode != 0 && ended.Message == ""
}

// running says whether the pod's container has started and not ended.
func running(pod *corev1.Pod) bool {
	for _, container := range pod.Status.ContainerStatuses {
		if container.Name == containerName {
			return container.State.Running != nil
		}
	}
	return false
}

// describePod says in one line where a pod has got to.
func describePod(pod *corev1.Pod) string {
	text := "phase " + string(pod.Status.Phase)
	if pod.Status.Phase == "" {
		text = "not seen by the scheduler"
	}
	if pod.Spec.NodeName != "" {
		text += " on node " + pod.Spec.NodeName
	}
	if s := podSymptom(pod); s != nil {
		return text + ", " + s.Error()
	}
	for i, container := range containersOf(pod) {
		what := "container"
		if i < len(pod.Status.InitContainerStatuses) {
			what = "init container " + container.Name
		}
		switch state := container.State; {
		case state.Waiting != nil:
			text += ", " + what + " waiting: " + state.Waiting.Reason
		case state.Running != nil:
			text += ", " + what + " running since " + state.Running.StartedAt.UTC().Format(time.RFC3339)
		case state.Terminated != nil:
			text += fmt.Sprintf(", %s ended with exit code %d", what, state.Terminated.ExitCode)
		}
	}
	return text
}
