package storage

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// judgeWritten says what is wrong with the writing of a volume; nil if nothing is.
func judgeWritten(r probe.DiskResult) *finding.Finding {
	expected := fmt.Sprintf("a user's pod (uid %d, fsGroup %d) writes to the volume", user, group)
	if f := explain(expected, r.Step, r.Trouble, r.Volume); f != nil {
		return f
	}
	if r.Written == nil {
		return finding.NotDecided(expected, "the pod ended before it had written", "it was stopped", "run it again")
	}
	return nil
}

// judgeRead says what is wrong with data that was written before and read by another pod;
// nil if nothing is.
func judgeRead(written, read probe.DiskResult) *finding.Finding {
	const expected = "a second pod reads the data that the first one wrote"
	const why = "the volume was made or formatted anew when it was attached again, or another one was mounted"
	const do = "look at the storage driver's NodeStageVolume in its log: nobody's files survive a restart with it"
	if read.Verified == nil && read.Trouble != nil && read.Trouble.Kind == probe.Missing {
		return finding.Failed(expected, "the data is lost: the file is not there any more", why, do)
	}
	if read.Verified == nil {
		if f := explain(expected, read.Step, read.Trouble, read.Volume); f != nil {
			return f
		}
		return finding.NotDecided(expected, "the pod ended before it had read", "it was stopped", "run it again")
	}
	if v := read.Verified; !v.Match || v.SHA256 != written.Written.SHA256 {
		return finding.Failed(expected, fmt.Sprintf("the data is not the same: wrong from byte %d of %d on", v.FirstWrong, written.Written.Bytes), why, do)
	}
	return nil
}

// judgeGrown says what is wrong with a volume that was to grow in use; nil if nothing is.
// growth is the claim's own error.
func judgeGrown(read probe.DiskResult, growth error, from, to resource.Quantity) *finding.Finding {
	expected := fmt.Sprintf("a volume in use grows from %s to %s, its filesystem too", from.String(), to.String())
	if f := finding.As(growth); f != nil {
		if f.Undecided {
			return f
		}
		why, do := f.Why, f.Do
		if why == "" {
			why, do = "the volume or its filesystem did not take the new size", "see the logs of the resizer (ControllerExpandVolume) and of the driver on the pod's node (NodeExpandVolume)"
		}
		return finding.Failed(expected, f.Found, why, do).Because(growth)
	}
	g := read.Grown
	switch {
	case g == nil || g.OK && read.Trouble != nil:
		if f := explain(expected, read.Step, read.Trouble, read.Volume); f != nil {
			return f
		}
		return finding.NotDecided(expected, "the pod ended before it saw the volume grow", "it was stopped", "run it again")
	case !g.OK:
		return finding.Failed(expected, fmt.Sprintf("the claim has grown, but after %.0f s the filesystem still has %s", g.Seconds, size(g.To)),
			"the driver reports a growth that did not happen, or leaves the filesystem as it is", "see NodeExpandVolume in the driver's log on the pod's node")
	case !g.Intact:
		return finding.Failed(expected+", and its data stays", "the data is not the same after the growth", "the driver made the filesystem anew", "see NodeExpandVolume in the driver's log on the pod's node")
	}
	return nil
}

// judgePair says what is wrong with a volume that two pods used at once; nil if nothing is.
// both is how long they ran at the same time.
func judgePair(a, b probe.PairResult, both time.Duration) *finding.Finding {
	const expected = "two pods write to one volume at the same time, and each sees the other's bytes"
	for _, r := range []probe.PairResult{a, b} {
		if t := r.Trouble; t != nil && t.Kind != probe.Timeout && t.Kind != probe.NoLocks {
			return explain(expected, "pod "+r.Name+", "+r.Step, t, r.Volume)
		}
	}
	for _, r := range []probe.PairResult{a, b} {
		switch {
		case !r.Met && both < together:
			return finding.NotDecided(expected, fmt.Sprintf("the pods ran at the same time for %.0f s only", max(both.Seconds(), 0)),
				"one node took much longer to start its pod", "run it again: the image is then on both nodes")
		case !r.Met:
			return finding.Failed(expected, fmt.Sprintf("pod %s never saw the other pod's file", r.Name),
				"the volume is not really shared: each node has storage of its own under the same claim",
				"use a StorageClass whose driver shares volumes between nodes (CephFS, NFS) in storageClass.sharedName")
		case !r.Shared:
			return finding.Failed(expected, fmt.Sprintf("pod %s saw the other pod's file, but not the bytes that it wrote into the common one", r.Name),
				"the nodes cache the volume each for itself", "see the mount options (NFS: nocto, long actimeo; CephFS: a lazy client)")
		}
	}
	const locks = "a POSIX lock that a pod on one node holds is refused to a pod on another"
	for _, r := range []probe.PairResult{a, b} {
		switch {
		case r.Trouble != nil && r.Trouble.Kind == probe.NoLocks, !r.LockTaken:
			return finding.Failed(locks, fmt.Sprintf("pod %s: the volume knows no locks%s", r.Name, troubleText(r.Trouble)), whyLocks, doLocks)
		case !r.LockHonoured && r.Trouble == nil:
			return finding.Failed(locks, "both pods got the same lock at the same time", whyLocks, doLocks)
		}
	}
	for _, r := range []probe.PairResult{a, b} {
		if !r.LockHonoured || !r.LockReleased || r.Trouble != nil {
			return finding.Failed("a lock that was let go can be taken by a pod on another node", fmt.Sprintf("pod %s could not%s", r.Name, troubleText(r.Trouble)),
				"the lock server does not hear of the release", doLocks)
		}
	}
	return nil
}

func troubleText(t *probe.Trouble) string {
	if t == nil {
		return ""
	}
	return ": " + t.Error()
}
