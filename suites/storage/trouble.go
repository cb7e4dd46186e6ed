package storage

import (
	"fmt"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// explanations say why a file operation in a volume fails, and what to do.
var explanations = map[string]struct{ why, do string }{
	probe.ReadOnly: {"the volume is mounted read-only: its backend forced that after an error, or the StorageClass, the export or the mount options ask for it",
		"see the StorageClass's mountOptions, the export, and the node's kernel log for errors of the device"},
	probe.Denied: {"the volume is not writable for the pod's fsGroup: the driver does not apply it (CSIDriver's fsGroupPolicy), or an NFS server squashes it",
		"set the driver's fsGroupPolicy to File, or let the export's folder belong to group 100 with mode 2775"},
	probe.NoSpace:       {"the storage backend is full, or the volume is smaller than it says", "see the backend's free space"},
	probe.QuotaExceeded: {"a quota of the storage backend is used up", "raise the backend's quota for this volume or its user"},
	probe.IOError:       {"the device or the network to it fails", "see the node's kernel log and the backend's health"},
	probe.Stale:         {"the server gave the mounted folder another identity, after a failover or a new export", "mount the volume anew; give the export a fixed fsid"},
	probe.Missing:       {"what was there is gone: the volume was made anew, or another one was mounted", "see whether the driver formats volumes at each attach"},
}

// lockAdvice says why locks matter.
const (
	whyLocks = "POSIX locks do not reach from one node to another, as on NFS without a lock daemon (mount option nolock or local_lock). " +
		"SQLite, which JupyterHub keeps its users and servers in, relies on them: two processes then write at the same time, and the database is lost " +
		`("database is locked", "database disk image is malformed")`
	doLocks = "mount with NFS 4.1 or newer and without nolock, or use CephFS; keep the hub's database on a ReadWriteOnce volume or in PostgreSQL"
)

// explain words the trouble that ended a measurement; nil for none. Being stopped decides
// nothing.
func explain(expected, step string, trouble *probe.Trouble, volume probe.Volume) *finding.Finding {
	if trouble == nil {
		return nil
	}
	found := fmt.Sprintf("%s: %s", step, trouble.Error())
	if step == "" {
		found = trouble.Error()
	}
	if trouble.Kind == probe.Denied {
		found += fmt.Sprintf("; the volume belongs to %d:%d, mode %s", volume.UID, volume.GID, volume.Mode)
	}
	if trouble.Kind == probe.Stopped {
		return finding.NotDecided(expected, found, "the pod was told to end before it was done", "run it again")
	}
	advice, known := explanations[trouble.Kind]
	if !known {
		advice.do = "see the storage driver's log on that node"
	}
	return finding.Failed(expected, found, advice.why, advice.do)
}
