package csi

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// stage mounts the volume's filesystem at the path, and makes it first if the volume is new.
func (s *nodeServer) stage(ctx context.Context, v *volume, path string, options []string) error {
	there, err := mounted(path)
	if err != nil || there {
		return err
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
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
	whole, err := s.mountFor(ctx, v, device.Name(), path, options)
	if err == nil && before != nil && before.bytes()+(1<<20) <= v.Bytes && !s.active(FaultSmallerVolume) {
		err = grow(ctx, whole) // enlarged while it was nowhere mounted, or restored to a larger volume
	}
	if err == nil {
		err = s.store.recordStaging(v.ID, s.node, path)
	}
	if err != nil {
		return errors.Join(err, s.unstage(v.ID, path))
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

// mountFor mounts the device at the path, healthy or as a fault wants it, and returns where
// the whole filesystem is mounted.
func (s *nodeServer) mountFor(ctx context.Context, v *volume, device, path string, options []string) (whole string, err error) {
	notShared, locksIgnored := s.shared && s.active(FaultNotShared), s.shared && s.active(FaultLocksIgnored)
	if !notShared && !locksIgnored {
		return path, mountXFS(device, path, options)
	}
	lower := s.store.lower(v.ID, s.node)
	if err := os.MkdirAll(lower, 0o700); err != nil {
		return "", err
	}
	if err := mountXFS(device, lower, options); err != nil {
		return "", err
	}
	if notShared {
		own := filepath.Join(lower, ".only-"+s.node)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return "", err
		}
		return lower, bind(own, path, false)
	}
	// bindfs does not forward locks unless told to: each mount keeps its own, as NFS without
	// a lock daemon does.
	return lower, tool(ctx, "bindfs", "-o", "fsname="+lower, lower, path)
}

// unstage takes the volume off the path; what is not there is fine.
func (s *nodeServer) unstage(id, path string) error {
	if err := unmountAll(path); err != nil {
		return err
	}
	if !validID.MatchString(id) {
		return nil
	}
	lower := s.store.lower(id, s.node)
	// Lazily: bindfs ends a moment after its own mount.
	if there, err := mounted(lower); err != nil {
		return err
	} else if there {
		if err := release(lower); err != nil {
			return err
		}
	}
	if err := os.Remove(lower); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return s.store.forgetStaging(id, s.node)
}
