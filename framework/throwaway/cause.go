package throwaway

import (
	"errors"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// Cause says why a throwaway object does not become what was waited for.
type Cause string

// The causes that this package tells apart.
const (
	ImageNotFound      Cause = "image not found"
	ImageUnauthorized  Cause = "image pull not authorized"
	ImageUntrusted     Cause = "registry certificate not trusted"
	ImageHostUnknown   Cause = "registry name does not resolve"
	ImageCorrupt       Cause = "image corrupt"
	ImagePlatform      Cause = "image of another platform"
	ImageInvalid       Cause = "image name invalid"
	ImageRefused       Cause = "image refused by policy"
	RegistryDown       Cause = "registry unreachable"
	ImagePull          Cause = "image pull failed"
	ContainerConfig    Cause = "container configuration"
	ContainerStart     Cause = "container start"
	Unschedulable      Cause = "unschedulable"
	NoRoom             Cause = "no room on any node"
	MountFailed        Cause = "volume mount failed"
	AttachFailed       Cause = "volume attach failed"
	ProvisioningFailed Cause = "provisioning failed"
	ProvisionerSilent  Cause = "provisioner silent"
	WaitingForConsumer Cause = "claim waits for a pod"
	ResizeFailed       Cause = "expansion failed"
	ResizerSilent      Cause = "resizer silent"
	SandboxFailed      Cause = "pod sandbox failed"
	Evicted            Cause = "evicted"
	OutOfMemory        Cause = "out of memory"
	DeadlineOfPod      Cause = "pod deadline exceeded"
	RefusedByNode      Cause = "refused by the node"
	NoRuntimeClass     Cause = "RuntimeClass missing"
	NoRuntimeHandler   Cause = "runtime handler missing on the node"
	DeviceRefused      Cause = "device not allocated"
	DeviceNotGiven     Cause = "device not given to the container"
	DeviceNotPrepared  Cause = "claimed device not prepared"
	ClaimNotMade       Cause = "resource claim not made"
	HeldBack           Cause = "held back by a queue"
	PodRefused         Cause = "pod of the Job refused"
	JobFailed          Cause = "Job failed without a pod"
	ControllerSilent   Cause = "Job controller silent"
	EndedEarly         Cause = "ended early"
	DeletedMeanwhile   Cause = "deleted by someone else"
	VolumeLost         Cause = "volume lost"
	NoneSeen           Cause = "time out"
)

// CauseOf returns why a wait failed, empty if err is not of this package.
func CauseOf(err error) Cause {
	var s *symptom
	if errors.As(err, &s) {
		return s.cause
	}
	return ""
}

// never marks a symptom that may heal for as long as the wait lasts.
const never time.Duration = -1

// symptom is a state that keeps an object from what it should become.
type symptom struct {
	cause Cause
	text  string // in the cluster's own words
	why   string
	do    string
	// undecided: the environment, not what is being checked, is the cause.
	undecided bool
	// grace is how long the symptom may last before it counts: 0 at once, never for one that
	// only explains a time-out.
	grace time.Duration
	// refused is the API server's own error, where the symptom repeats one.
	refused error
}

// Unwrap lets kubeerr.ReasonOf tell who refused.
func (s *symptom) Unwrap() error { return s.refused }

// Error implements error, so that CauseOf finds the symptom in a finding.
func (s *symptom) Error() string { return string(s.cause) + ": " + s.text }

// finding words the symptom for a wait whose aim is expected.
func (s *symptom) finding(expected string) *finding.Finding {
	f := finding.Failed(expected, s.Error(), s.why, s.do)
	f.Undecided = s.undecided
	return f.Because(s)
}

// patience remembers since when each cause has been seen.
type patience struct {
	cause Cause
	since time.Time
}

// worn says whether s has lasted for its grace, and else how long is left (0 for never).
func (p *patience) worn(s *symptom, now time.Time) (bool, time.Duration) {
	if s == nil {
		*p = patience{}
		return false, 0
	}
	if p.cause != s.cause {
		*p = patience{cause: s.cause, since: now}
	}
	if s.grace == never {
		return false, 0
	}
	left := s.grace - now.Sub(p.since)
	return left <= 0, max(left, 0)
}
