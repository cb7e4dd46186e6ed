package csi

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A staged volume is mounted in a directory of the driver's own, and the staging path that
// the kubelet chooses stays empty: the nodes share one mount namespace, and a kubelet that
// finds its staging path's filesystem mounted by another node's pods waits for these to end
// before it unstages (GetMountRefs of k8s.io/mount-utils).

// whole is where the volume's filesystem is mounted for a node.
func (s *store) whole(id, node string) string {
	return filepath.Join(s.dir, "mounts", node, id, "whole")
}

// view is what a node's pods see of the volume where a fault wants that to differ from whole.
func (s *store) view(id, node string) string {
	return filepath.Join(s.dir, "mounts", node, id, "view")
}

// shown returns the mounted directory that pods are to see; false if nothing is staged.
func (s *nodeServer) shown(id string) (path string, staged bool, err error) {
	for _, path := range []string{s.store.view(id, s.node), s.store.whole(id, s.node)} {
		if there, err := mounted(path); err != nil || there {
			return path, there, err
		}
	}
	return "", false, nil
}

// stage mounts the volume's filesystem for the node, and makes it first if the volume is new.
func (s *nodeServer) stage(ctx context.Context, v *volume, options []string) error {
	whole := s.store.whole(v.ID, s.node)
	if there, err := mounted(whole); err != nil || there {
		return err
	}
	if err := os.MkdirAll(whole, 0o700); err != nil {
		return err
	}
	image := s.store.image(v.ID)
	if _, attached := loopOf(image); !attached {
		if err := s.ensureFilesystem(ctx, v); err != nil {
			return err
		}
	}
	before, err := readSuperblock(image)
	if err != nil {
		return err
	}
	device, err := attach(image)
	if err != nil {
		return err
	}
	defer device.Close()
	err = mountXFS(device.Name(), whole, options)
	if err == nil && before != nil && before.bytes()+(1<<20) <= v.Bytes && !s.active(FaultSmallerVolume) {
		err = grow(ctx, whole) // enlarged while it was nowhere mounted, or restored to a larger volume
	}
	if err == nil {
		err = s.distort(ctx, v.ID)
	}
	if err == nil {
		err = s.store.recordStaging(v.ID, s.node)
	}
	if err != nil {
		return errors.Join(err, s.unstage(v.ID))
	}
	return nil
}

// ensureFilesystem formats an image that holds no whole filesystem yet.
func (s *nodeServer) ensureFilesystem(ctx context.Context, v *volume) error {
	image := s.store.image(v.ID)
	sb, err := readSuperblock(image)
	if err != nil {
		return err
	}
	if sb != nil && !sb.inProgress && !s.active(FaultLosesData) {
		return nil
	}
	bytes := v.Bytes
	if s.active(FaultSmallerVolume) {
		bytes = max(minBytes, v.Bytes*3/5)
	}
	return format(ctx, image, bytes)
}

// distort lets the node's pods see another thing than the volume, where a fault wants it.
func (s *nodeServer) distort(ctx context.Context, id string) error {
	notShared, locksIgnored := s.shared && s.active(FaultNotShared), s.shared && s.active(FaultLocksIgnored)
	if !notShared && !locksIgnored {
		return nil
	}
	whole, view := s.store.whole(id, s.node), s.store.view(id, s.node)
	if err := os.MkdirAll(view, 0o700); err != nil {
		return err
	}
	if notShared {
		own := filepath.Join(whole, ".only-"+s.node)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		return bind(own, view, false)
	}
	// bindfs does not forward locks unless told to: each mount keeps its own, as NFS without
	// a lock daemon does.
	return tool(ctx, "bindfs", "-o", "fsname="+whole, whole, view)
}

// unstage takes the volume off the node; what is not there is fine.
func (s *nodeServer) unstage(id string) error {
	view, whole := s.store.view(id, s.node), s.store.whole(id, s.node)
	distorted, err := mounted(view)
	if err != nil {
		return err
	}
	if err := unmountAll(view); err != nil {
		return err
	}
	if distorted {
		err = release(whole) // lazily: bindfs ends a moment after its own mount
	} else {
		err = unmountAll(whole)
	}
	if err != nil {
		return err
	}
	for _, dir := range []string{view, whole, filepath.Dir(whole)} {
		// Remove, not RemoveAll: a mount that was missed must not lose its files.
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return s.store.forgetStaging(id, s.node)
}
