package storage

import (
	"slices"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/throwaway"
)

// storageCauses are the reasons for which a pod or claim waits in vain that the storage, and
// nothing else, is to answer for.
var storageCauses = []throwaway.Cause{
	throwaway.MountFailed, throwaway.AttachFailed, throwaway.ProvisioningFailed, throwaway.ProvisionerSilent,
	throwaway.VolumeLost, throwaway.ResizeFailed, throwaway.ResizerSilent,
}

// blame returns err as a failure where storage is to blame, and as undecided where something
// else kept a pod from measuring it: a full cluster, an image that cannot be pulled.
func blame(err error, expected string) error {
	if err == nil {
		return nil
	}
	cause := throwaway.CauseOf(err)
	if slices.Contains(storageCauses, cause) || cause == throwaway.NoneSeen && aboutVolumes(err.Error()) || volumeTied(err) {
		return err
	}
	return finding.Undecide(kubeerr.FromAPI(err, expected))
}

// aboutVolumes recognises a time-out whose last events are about the volume (pkg/kubelet and
// the attach-detach controller).
func aboutVolumes(text string) bool {
	return strings.Contains(text, "Mount") || strings.Contains(text, "Attach") || strings.Contains(text, "claim is not bound")
}

// tiedWords are the scheduler's for a volume that keeps its pods where it is
// (pkg/scheduler/framework/plugins/volumebinding and volumezone, old and new).
var tiedWords = []string{"PersistentVolume's node affinity", "volume node affinity conflict", "no available volume zone"}

// volumeTied recognises a pod that no other node takes because its volume stays behind.
func volumeTied(err error) bool {
	return throwaway.CauseOf(err) == throwaway.Unschedulable &&
		slices.ContainsFunc(tiedWords, func(words string) bool { return strings.Contains(err.Error(), words) })
}

// nowhereElse recognises a pod for which no node is left once one is excluded. A node that is
// only full is there, and undecided.
func nowhereElse(err error) bool {
	return throwaway.CauseOf(err) == throwaway.Unschedulable && !volumeTied(err)
}

// refusedSize recognises a claim that quota or limits refuse for its size.
func refusedSize(err error) bool {
	reason := kubeerr.ReasonOf(err)
	return reason == kubeerr.Quota || reason == kubeerr.LimitRange
}
