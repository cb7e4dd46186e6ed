package throwaway

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
)

// eventLooks are the ages of a wait at which events are looked at. Most waits are over before
// the first, and cost no request.
var eventLooks = []time.Duration{4 * time.Second, 8 * time.Second, 15 * time.Second, 25 * time.Second}

// eventPause is the time between looks after those.
const eventPause = 15 * time.Second

// explainTime is what a wait may add to its own time for reading what explains its end.
const explainTime = 5 * time.Second

// eventsLimit is how many events of one object are read.
const eventsLimit = 100

// silence is how long a claim may wait for its controller to say anything at all: a standby
// sidecar takes over its leader's lease within 15 s.
const silence = 40 * time.Second

// nextLook returns how long after age the next look at events is due.
func nextLook(age time.Duration) time.Duration {
	for _, at := range eventLooks {
		if age < at {
			return at - age
		}
	}
	return eventPause
}

// eventsOf returns an object's events, oldest first. Events only enrich a finding: without
// the right to read them there are none.
func eventsOf(ctx context.Context, client Client, namespace, kind, name string, uid types.UID) []corev1.Event {
	found, err := client.Kube.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.kind": kind, "involvedObject.name": name}.String(),
		Limit:         eventsLimit,
	})
	if err != nil {
		return nil
	}
	events := slices.DeleteFunc(found.Items, func(e corev1.Event) bool {
		return uid != "" && e.InvolvedObject.UID != uid
	})
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return lastSeen(a).Compare(lastSeen(b)) })
	return events
}

// lastSeen returns when an event happened last: three fields hold it, by the API's age.
func lastSeen(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// podEventSymptom returns what a pod's events say is wrong, the latest first.
func podEventSymptom(events []corev1.Event) *symptom {
	for _, e := range slices.Backward(events) {
		switch e.Reason {
		case "Pulling", "Pulled", "Created", "Started":
			return nil // what failed before has healed
		case "TriggeredScaleUp":
			return &symptom{cause: Unschedulable, text: e.Message, grace: never,
				why: "the cluster autoscaler is adding a node", do: "wait for the node, and raise the time-out"}
		}
		if s := deviceEvent(e.Reason, e.Message); s != nil {
			return s
		}
		if s := podEvent(e.Reason, e.Message); s != nil {
			return s
		}
	}
	return nil
}

func podEvent(reason, message string) *symptom {
	switch reason {
	case "Failed":
		if strings.HasPrefix(message, "Failed to pull image") || strings.Contains(message, "Failed to inspect image") {
			return imageTrouble(message)
		}
	case "FailedMount":
		s := &symptom{cause: MountFailed, text: message, grace: 20 * time.Second,
			why: "the node could not mount the pod's volume", do: "see the storage driver's node plugin and the node's log"}
		if strings.Contains(message, "not found in the list of registered CSI drivers") {
			s.why, s.do = "the storage driver does not run on that node", "see the driver's DaemonSet (node plugin) there"
		}
		if strings.Contains(message, "timed out waiting for the condition") || strings.Contains(message, "unmounted volumes=") {
			s.grace = never // a summary; the real reason is another event
		}
		return s
	case "FailedAttachVolume":
		s := &symptom{cause: AttachFailed, text: message, grace: 25 * time.Second,
			why: "the volume could not be attached to the node", do: "see the VolumeAttachment and the storage driver's controller"}
		if strings.Contains(message, "Multi-Attach error") {
			s.why, s.do = "the volume is still attached to another node", "see whether that node is alive; forced detach takes 6 minutes"
			s.grace = never // detaching takes its time, and heals
		}
		return s
	case "FailedCreatePodSandBox":
		return &symptom{cause: SandboxFailed, text: message, grace: 20 * time.Second, undecided: true,
			why: "the node's container runtime or network plugin is broken", do: "see the node's CNI configuration and container runtime"}
	}
	return nil
}

// claimEventSymptom returns what a claim's events say is wrong, nil if they end well. age is
// how long the claim has been waited for.
func claimEventSymptom(events []corev1.Event, age time.Duration) *symptom {
	// First, because a class that binds late says that it waits for a pod in the same second
	// in which the pod comes, and then says no more.
	if s := claimSilence(events, age); s != nil {
		return s
	}
	for _, e := range slices.Backward(events) {
		switch e.Reason {
		case "ProvisioningSucceeded", "VolumeResizeSuccessful", "FileSystemResizeSuccessful", "Provisioning", "Resizing", "FileSystemResizeRequired":
			return nil // what failed before has healed, or is being tried again
		}
		if s := claimEvent(e.Reason, e.Message); s != nil {
			return s
		}
	}
	return nil
}

// claimSilence finds a claim that waits for a controller which has not said a word. Their
// order tells nothing: the one that waits and the one that works write in the same second.
func claimSilence(events []corev1.Event, age time.Duration) *symptom {
	if age < silence {
		return nil
	}
	said := map[string]string{}
	for _, e := range events {
		said[e.Reason] = e.Message
	}
	waits := func(reason string, answers ...string) bool {
		_, waiting := said[reason]
		return waiting && !slices.ContainsFunc(answers, func(answer string) bool { _, yes := said[answer]; return yes })
	}
	switch {
	case waits("ExternalProvisioning", "Provisioning", "ProvisioningSucceeded", "ProvisioningFailed"):
		return &symptom{cause: ProvisionerSilent, text: said["ExternalProvisioning"],
			why: "no provisioner answers for this StorageClass: it does not run, or has another name",
			do:  "see the storage driver's controller pods and the StorageClass's provisioner"}
	case waits("ExternalExpanding", "Resizing", "FileSystemResizeRequired", "VolumeResizeSuccessful", "VolumeResizeFailed"):
		return &symptom{cause: ResizerSilent, text: said["ExternalExpanding"],
			why: "no resizer answers for this volume", do: "see the storage driver's controller pods (csi-resizer)"}
	}
	return nil
}

func claimEvent(reason, message string) *symptom {
	switch reason {
	case "ProvisioningFailed":
		s := &symptom{cause: ProvisioningFailed, text: message, grace: 10 * time.Second,
			why: "the provisioner could not make the volume", do: "see the provisioner's log and the storage backend"}
		for _, final := range []string{"InvalidArgument", "ResourceExhausted", "PermissionDenied", "Unauthenticated", "OutOfRange", "storageclass.storage.k8s.io"} {
			if strings.Contains(message, final) {
				s.grace = 0
			}
		}
		return s
	case "FailedBinding":
		return &symptom{cause: ProvisioningFailed, text: message, grace: 5 * time.Second,
			why: "the claim names no StorageClass, and none is the default", do: "mark one StorageClass as the default, or answer storageClass.name"}
	case "VolumeResizeFailed", "FileSystemResizeFailed", "VolumeResizeInfeasible":
		return &symptom{cause: ResizeFailed, text: message, grace: 15 * time.Second,
			why: "the volume could not be grown", do: "see the resizer's log and the storage backend"}
	case "WaitForFirstConsumer":
		return &symptom{cause: WaitingForConsumer, text: message, grace: never,
			why: "the StorageClass binds when a pod uses the claim", do: "wait for the pod, not for the claim"}
	}
	return nil
}

// lastWords returns the last few warnings, for a time-out.
func lastWords(events []corev1.Event) string {
	var words []string
	for _, e := range slices.Backward(events) {
		if e.Type == corev1.EventTypeWarning && len(words) < 3 {
			words = append(words, e.Reason+": "+e.Message)
		}
	}
	return strings.Join(words, "; ")
}
