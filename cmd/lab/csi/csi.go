// Package csi is the lab's storage: a CSI driver that gives several nodes on one host the
// volumes that a Ceph cluster would. A volume is a sparse image file, a loop device and an
// XFS filesystem, so that sizes, growth, locks, a full disk and lost data are the kernel's
// and not invented. It carries the names of the Ceph drivers because that is what the
// checklist asks for, and says in its plugin manifest and in every volume that it is
// simulated.
//
// All nodes of the lab share one kernel; a node is a name, a kubelet directory and perhaps a
// mount namespace. What is staged where is therefore written down in the state directory,
// which all processes of a driver share: an rbd volume is refused on a second node while it
// is staged on a first, a cephfs volume is the same filesystem mounted once for each node.
//
// It never formats a volume that holds a filesystem, unless the fault that says so is on.
package csi

import (
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Names of the drivers, those of the real ones in ceph-csi.
const (
	RBD    = "rbd.csi.ceph.com"
	CephFS = "cephfs.csi.ceph.com"
)

// Version is reported to the sidecars; it has no meaning beyond this repository.
const Version = "0.1.0"

// Simulated says what a volume really is. It stands in the plugin's manifest and in the
// attributes of each PersistentVolume.
const Simulated = "image file, loop device and XFS on one host; no Ceph"

// Faults that the driver looks for at each call. The table of the lab's faults describes
// them.
const (
	FaultLosesData     = "volume-loses-data"
	FaultReadOnly      = "volume-read-only"
	FaultNotShared     = "shared-not-shared"
	FaultLocksIgnored  = "locks-not-honoured"
	FaultGrowthStuck   = "expansion-stuck"
	FaultSmallerVolume = "volume-size-short"
)

// driver is what the three CSI services have in common.
type driver struct {
	name string
	// shared: any number of nodes may stage a volume at a time.
	shared bool
	// node is the name of the node served, empty for the controller.
	node     string
	store    *store
	capacity int64
	// active says whether the named fault is planted now.
	active func(fault string) bool
	log    *slog.Logger
}

// newDriver prepares the state directory of one driver. limit is the sum of all volumes'
// sizes in bytes that it will provision.
func newDriver(name, node, stateDir string, limit int64, active func(string) bool, log *slog.Logger) (*driver, error) {
	if name != RBD && name != CephFS {
		return nil, status.Errorf(codes.InvalidArgument, "driver %q is unknown: use %s or %s", name, RBD, CephFS)
	}
	store, err := openStore(filepath.Join(stateDir, name))
	if err != nil {
		return nil, err
	}
	return &driver{
		name: name, shared: name == CephFS, node: node,
		store: store, capacity: limit, active: active, log: log,
	}, nil
}
