package throwaway

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The states in this file are those of device manager, DRA manager and runtime class manager
// of the kubelet (kubernetes, pkg/kubelet/cm, pkg/kubelet/runtimeclass), of the scheduler's
// dynamicresources plugin, of containerd and of NVIDIA's container toolkit.

// runtimeClassMissing finds that admission refused the pod because its RuntimeClass is not there
// (plugin/pkg/admission/runtimeclass).
func runtimeClassMissing(pod *corev1.Pod, err error) *symptom {
	if err == nil || pod.Spec.RuntimeClassName == nil || !strings.Contains(err.Error(), "RuntimeClass ") || !strings.Contains(err.Error(), "not found") {
		return nil
	}
	return &symptom{cause: NoRuntimeClass, text: err.Error(),
		why: "the cluster has no RuntimeClass " + *pod.Spec.RuntimeClassName,
		do:  "have the component that brings it installed (the GPU operator makes the class nvidia), or correct the RuntimeClass in the answers file"}
}

// deviceRefused explains why a kubelet did not admit a pod that it has no device for, nil if
// that is not why.
func deviceRefused(message string) *symptom {
	s := &symptom{cause: DeviceRefused, text: message}
	switch {
	case !strings.Contains(message, "Allocate failed due to"):
		return nil
	case strings.Contains(message, "requested number of devices unavailable"):
		s.undecided = true
		s.why, s.do = "another pod took the device in the same moment", "run again"
	case strings.Contains(message, "unhealthy devices"):
		s.why, s.do = "all devices of that node are unhealthy", "see the device plugin's log and the driver's (dmesg, Xid errors) on that node"
	case strings.Contains(message, "unregistered device"):
		s.why, s.do = "the device plugin of that node has not registered since the kubelet started", "see the device plugin's pod on that node"
	default:
		s.why, s.do = "the device plugin of that node does not answer, or fails", "see the device plugin's log on that node"
	}
	return s
}

// deviceNotGiven recognises a container that cannot be created because the runtime could not put
// its device into it, nil if that is not why.
func deviceNotGiven(message string) *symptom {
	s := &symptom{cause: DeviceNotGiven, text: message}
	switch {
	case strings.Contains(message, "unresolvable CDI devices"), strings.Contains(message, "CDI device injection failed"):
		s.why, s.do = "the node has no CDI specification of that device", "see /etc/cdi and /var/run/cdi on the node: the container toolkit or the device's driver writes it"
	case strings.Contains(message, "nvidia-container-cli"), strings.Contains(message, "nvidia-container-runtime"):
		s.why, s.do = "NVIDIA's container toolkit could not put the driver into the container", "read the message; see that nvidia-smi works on the node itself, then the toolkit's configuration"
	default:
		return nil
	}
	return s
}

// deviceEvent returns what an event of a pod says about its devices or its runtime class.
func deviceEvent(reason, message string) *symptom {
	switch reason {
	case "FailedPrepareDynamicResources":
		s := &symptom{cause: DeviceNotPrepared, text: message, grace: 10 * time.Second,
			why: "the driver of the claimed device could not prepare it on that node", do: "see the log of the driver's kubelet plugin there"}
		if strings.Contains(message, "is not registered") {
			s.why, s.do = "the driver of the claimed device does not run on that node", "see the driver's DaemonSet (kubelet plugin) there"
		}
		return s
	case "FailedResourceClaimCreation":
		return &symptom{cause: ClaimNotMade, text: message, grace: 5 * time.Second,
			why: "the controller could not make the pod's ResourceClaim", do: "read the message; see quotas and admission of resourceclaims"}
	case "FailedCreatePodSandBox":
		// containerd: no runtime for "nvidia" is configured; CRI-O: failed to find runtime handler nvidia.
		if strings.Contains(message, "no runtime for ") || strings.Contains(message, "failed to find runtime handler") {
			return &symptom{cause: NoRuntimeHandler, text: message, grace: 5 * time.Second,
				why: "the node's container runtime does not know the handler of the pod's RuntimeClass",
				do:  "see the container toolkit on that node, and the runtime's configuration (nvidia-ctk runtime configure)"}
		}
		if s := deviceNotGiven(message); s != nil {
			s.grace = 10 * time.Second
			return s
		}
	}
	return nil
}

// claimedDevices explains a pod that the scheduler cannot place because of the devices that it
// claims, and tells whether that is why.
func claimedDevices(message string, s *symptom) bool {
	switch {
	case strings.Contains(message, "device class ") && strings.Contains(message, "does not exist"):
		s.why, s.do = "the cluster has no DeviceClass of that name", "correct the DeviceClass in the answers file, or install the driver that brings it"
	case strings.Contains(message, "ResourceClaim not created yet"):
		s.cause, s.grace = ClaimNotMade, silence
		s.why, s.do = "the controller has not made the pod's ResourceClaim", "see kube-controller-manager (resourceclaim controller)"
	case strings.Contains(message, "cannot allocate all claims"), strings.Contains(message, "resourceclaim not available on the node"),
		strings.Contains(message, "in the process of being allocated"):
		s.cause, s.undecided = NoRoom, true
		s.why, s.do = "the suitable nodes have no free device of the claimed class at the moment, or none at all (see their ResourceSlices)",
			"run again when devices are free"
	default:
		return false
	}
	return true
}
