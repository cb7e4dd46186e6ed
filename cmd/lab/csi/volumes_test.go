//go:build lab

package csi

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for loop devices and mounts")
	}
}

func cleanUpLater(t *testing.T, stateDir string) {
	t.Cleanup(func() {
		if err := CleanUp(stateDir); err != nil {
			t.Error(err)
		}
	})
}

// cluster is one driver's controller and its plugins on two nodes.
type cluster struct {
	*testing.T
	dir        string
	faults     *planted
	controller *controllerServer
	nodes      map[string]*nodeServer
}

func newCluster(t *testing.T, name string) *cluster {
	needRoot(t)
	dir := shortTempDir(t)
	state := filepath.Join(dir, "state")
	cleanUpLater(t, state)
	c := &cluster{T: t, dir: dir, faults: &planted{}, nodes: map[string]*nodeServer{}}
	c.controller = &controllerServer{driver: faultyDriver(t, name, "", state, c.faults)}
	for _, node := range []string{"one", "two"} {
		d := faultyDriver(t, name, node, state, c.faults)
		if err := d.announce(); err != nil {
			t.Fatal(err)
		}
		c.nodes[node] = &nodeServer{driver: d}
	}
	return c
}

func (c *cluster) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func mountCapability(mode csi.VolumeCapability_AccessMode_Mode) *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{}},
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: mode},
	}
}

func (c *cluster) capability() *csi.VolumeCapability {
	if c.controller.shared {
		return mountCapability(csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER)
	}
	return mountCapability(csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER)
}

func (c *cluster) create(name string, size int64, source *csi.VolumeContentSource) string {
	c.Helper()
	r, err := c.controller.CreateVolume(context.Background(), &csi.CreateVolumeRequest{
		Name: name, CapacityRange: &csi.CapacityRange{RequiredBytes: size},
		VolumeCapabilities: []*csi.VolumeCapability{c.capability()}, VolumeContentSource: source,
	})
	c.ok(err)
	return r.GetVolume().GetVolumeId()
}

func (c *cluster) staging(node string) string { return filepath.Join(c.dir, node, "globalmount") }
func (c *cluster) target(node string) string  { return filepath.Join(c.dir, node, "pod", "mount") }

// mount stages and publishes the volume on the node and returns where.
func (c *cluster) mount(id, node string) (string, error) {
	n := c.nodes[node]
	if _, err := n.NodeStageVolume(context.Background(), &csi.NodeStageVolumeRequest{
		VolumeId: id, StagingTargetPath: c.staging(node), VolumeCapability: c.capability(),
	}); err != nil {
		return "", err
	}
	_, err := n.NodePublishVolume(context.Background(), &csi.NodePublishVolumeRequest{
		VolumeId: id, StagingTargetPath: c.staging(node), TargetPath: c.target(node), VolumeCapability: c.capability(),
	})
	return c.target(node), err
}

func (c *cluster) mustMount(id, node string) string {
	c.Helper()
	path, err := c.mount(id, node)
	c.ok(err)
	return path
}

func (c *cluster) unmount(id, node string) {
	c.Helper()
	n := c.nodes[node]
	_, err := n.NodeUnpublishVolume(context.Background(), &csi.NodeUnpublishVolumeRequest{VolumeId: id, TargetPath: c.target(node)})
	c.ok(err)
	_, err = n.NodeUnstageVolume(context.Background(), &csi.NodeUnstageVolumeRequest{VolumeId: id, StagingTargetPath: c.staging(node)})
	c.ok(err)
}

func (c *cluster) size(path string) int64 {
	c.Helper()
	var fs unix.Statfs_t
	c.ok(unix.Statfs(path, &fs))
	return int64(fs.Blocks) * fs.Bsize
}

func (c *cluster) grow(id, node string, size int64) error {
	if _, err := c.controller.ControllerExpandVolume(context.Background(), &csi.ControllerExpandVolumeRequest{
		VolumeId: id, CapacityRange: &csi.CapacityRange{RequiredBytes: size},
	}); err != nil {
		return err
	}
	_, err := c.nodes[node].NodeExpandVolume(context.Background(), &csi.NodeExpandVolumeRequest{VolumeId: id, VolumePath: c.target(node)})
	return err
}

const gib = 1 << 30

var content = bytes.Repeat([]byte("kept "), 100_000)

func TestVolumeFollowsThePodAndKeepsItsData(t *testing.T) {
	c := newCluster(t, RBD)
	id := c.create("v", gib, nil)
	path := c.mustMount(id, "one")
	c.ok(os.WriteFile(filepath.Join(path, "f"), content, 0o600))
	if size := c.size(path); size < gib*9/10 || size > gib {
		t.Errorf("the filesystem has %d bytes, 1 GiB less its journal expected", size)
	}

	_, err := c.mount(id, "two")
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a second node got %v, FailedPrecondition expected", err)
	}
	if _, err := c.controller.DeleteVolume(context.Background(), &csi.DeleteVolumeRequest{VolumeId: id}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("delete while in use got %v, FailedPrecondition expected", err)
	}
	c.unmount(id, "one")
	path = c.mustMount(id, "two")
	c.same(path)
	c.unmount(id, "two")
	_, err = c.controller.DeleteVolume(context.Background(), &csi.DeleteVolumeRequest{VolumeId: id})
	c.ok(err)
}

func (c *cluster) same(path string) {
	c.Helper()
	got, err := os.ReadFile(filepath.Join(path, "f"))
	c.ok(err)
	if !bytes.Equal(got, content) {
		c.Errorf("%d other bytes read back, %d expected", len(got), len(content))
	}
}

func TestVolumeGrows(t *testing.T) {
	for _, name := range []string{RBD, CephFS} {
		c := newCluster(t, name)
		id := c.create("v", gib, nil)
		path := c.mustMount(id, "one")
		c.ok(os.WriteFile(filepath.Join(path, "f"), content, 0o600))
		c.ok(c.grow(id, "one", 2*gib))
		if size := c.size(path); size < 2*gib*9/10 {
			t.Errorf("%s: after growth in use the filesystem has %d bytes, 2 GiB less its journal expected", name, size)
		}
		c.same(path)
		c.unmount(id, "one")
		_, err := c.controller.ControllerExpandVolume(context.Background(), &csi.ControllerExpandVolumeRequest{
			VolumeId: id, CapacityRange: &csi.CapacityRange{RequiredBytes: 3 * gib},
		})
		c.ok(err)
		path = c.mustMount(id, "two")
		if size := c.size(path); size < 3*gib*9/10 {
			t.Errorf("%s: after growth at rest the filesystem has %d bytes, 3 GiB less its journal expected", name, size)
		}
		c.same(path)
		c.unmount(id, "two")
	}
}

func TestSnapshotOfVolumeInUse(t *testing.T) {
	c := newCluster(t, RBD)
	id := c.create("v", gib, nil)
	path := c.mustMount(id, "one")
	c.ok(os.WriteFile(filepath.Join(path, "f"), content, 0o600)) // not synced: the freeze does it
	r, err := c.controller.CreateSnapshot(context.Background(), &csi.CreateSnapshotRequest{Name: "s", SourceVolumeId: id})
	c.ok(err)
	c.ok(os.WriteFile(filepath.Join(path, "f"), []byte("later"), 0o600)) // thawed again

	restored := c.create("r", 2*gib, &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{
		Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: r.GetSnapshot().GetSnapshotId()},
	}})
	path = c.mustMount(restored, "two") // beside its source, whose UUID it has
	c.same(path)
	if size := c.size(path); size < 2*gib*9/10 {
		t.Errorf("restored to 2 GiB, the filesystem has %d bytes", size)
	}
	c.unmount(restored, "two")
	c.unmount(id, "one")
}

func TestSharedVolume(t *testing.T) {
	c := newCluster(t, CephFS)
	id := c.create("v", gib, nil)
	one, two := c.mustMount(id, "one"), c.mustMount(id, "two")
	c.ok(os.WriteFile(filepath.Join(one, "f"), content, 0o600))
	c.same(two)
	if locksAreIndependent(c, one, two) {
		t.Error("a lock held on one node was granted on the other")
	}
	c.unmount(id, "one")
	c.same(two)
	c.unmount(id, "two")
}

// locksAreIndependent takes a write lock on a file in one directory and says whether it can
// be had in the other as well. Open file description locks (fcntl(2)), because POSIX locks
// of one process never conflict.
func locksAreIndependent(c *cluster, one, two string) bool {
	c.Helper()
	var last error
	for _, dir := range []string{one, two} {
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
		c.ok(err)
		defer f.Close()
		last = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Len: 1})
	}
	if last != nil && !errors.Is(last, unix.EAGAIN) {
		c.Fatal(last)
	}
	return last == nil
}

func TestFaults(t *testing.T) {
	t.Run(FaultLosesData, func(t *testing.T) {
		c := newCluster(t, RBD)
		id := c.create("v", gib, nil)
		path := c.mustMount(id, "one")
		c.ok(os.WriteFile(filepath.Join(path, "f"), content, 0o600))
		c.unmount(id, "one")
		c.faults.set(FaultLosesData, true)
		path = c.mustMount(id, "two")
		if _, err := os.Stat(filepath.Join(path, "f")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
		c.unmount(id, "two")
	})
	t.Run(FaultReadOnly, func(t *testing.T) {
		c := newCluster(t, RBD)
		c.faults.set(FaultReadOnly, true)
		id := c.create("v", gib, nil)
		path := c.mustMount(id, "one")
		if err := os.WriteFile(filepath.Join(path, "f"), content, 0o600); !errors.Is(err, unix.EROFS) {
			t.Errorf("writing gave %v, EROFS expected", err)
		}
		c.unmount(id, "one")
	})
	t.Run(FaultSmallerVolume, func(t *testing.T) {
		c := newCluster(t, RBD)
		c.faults.set(FaultSmallerVolume, true)
		id := c.create("v", gib, nil)
		if size := c.size(c.mustMount(id, "one")); size > gib*2/3 {
			t.Errorf("the filesystem has %d bytes, much less than 1 GiB expected", size)
		}
		c.unmount(id, "one")
	})
	t.Run(FaultGrowthStuck, func(t *testing.T) {
		c := newCluster(t, RBD)
		c.faults.set(FaultGrowthStuck, true)
		id := c.create("v", gib, nil)
		path := c.mustMount(id, "one")
		if err := c.grow(id, "one", 2*gib); status.Code(err) != codes.Internal {
			t.Errorf("growing gave %v, Internal expected", err)
		}
		if size := c.size(path); size > gib {
			t.Errorf("the filesystem has %d bytes all the same", size)
		}
		c.unmount(id, "one")
	})
	t.Run(FaultNotShared, func(t *testing.T) {
		c := newCluster(t, CephFS)
		c.faults.set(FaultNotShared, true)
		id := c.create("v", gib, nil)
		one, two := c.mustMount(id, "one"), c.mustMount(id, "two")
		c.ok(os.WriteFile(filepath.Join(one, "f"), content, 0o600))
		if _, err := os.Stat(filepath.Join(two, "f")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the other node sees the file: %v", err)
		}
		c.ok(c.grow(id, "one", 2*gib))
		c.unmount(id, "one")
		c.unmount(id, "two")
	})
	t.Run(FaultLocksIgnored, func(t *testing.T) {
		c := newCluster(t, CephFS)
		c.faults.set(FaultLocksIgnored, true)
		id := c.create("v", gib, nil)
		one, two := c.mustMount(id, "one"), c.mustMount(id, "two")
		c.ok(os.WriteFile(filepath.Join(one, "f"), content, 0o600))
		c.same(two)
		if !locksAreIndependent(c, one, two) {
			t.Error("the lock is honoured between the nodes")
		}
		c.ok(c.grow(id, "one", 2*gib))
		c.unmount(id, "one")
		c.unmount(id, "two")
	})
}

// freezeAndDie freezes as a process does that is killed before it thaws.
func (c *cluster) freezeAndDie(path string) {
	c.Helper()
	dir, err := os.Open(path)
	c.ok(err)
	defer dir.Close()
	c.ok(unix.IoctlSetInt(int(dir.Fd()), fiFreeze, 0))
}

func TestCleanUpAfterAKill(t *testing.T) {
	for _, fault := range []string{"none", FaultNotShared, FaultLocksIgnored} {
		c := newCluster(t, CephFS)
		c.faults.set(fault, true)
		id := c.create("v", gib, nil)
		one, two := c.mustMount(id, "one"), c.mustMount(id, "two")
		if fault == "none" { // as a snapshot that was killed leaves it
			c.freezeAndDie(one)
		}
		c.ok(CleanUp(filepath.Join(c.dir, "state")))
		for _, path := range []string{one, two, c.nodes["one"].store.whole(id, "one"), c.nodes["two"].store.whole(id, "two")} {
			if there, err := mounted(path); there || err != nil {
				t.Errorf("%s: %s is still mounted (%v)", fault, path, err)
			}
		}
		// What a killed lab wrote down does not keep the next one from using the volume.
		c.faults.set(fault, false)
		for _, n := range c.nodes {
			c.ok(n.announce())
		}
		c.mustMount(id, "two")
		c.unmount(id, "two")
	}
}

func TestThawAfterAKill(t *testing.T) {
	c := newCluster(t, RBD)
	id := c.create("v", gib, nil)
	path := c.mustMount(id, "one")
	c.freezeAndDie(path)
	c.ok(c.controller.thawAll())
	c.ok(os.WriteFile(filepath.Join(path, "f"), content, 0o600))
	c.unmount(id, "one")
}
