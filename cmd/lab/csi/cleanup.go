package csi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/process"
)

// CleanUp releases what the drivers with that state directory still hold in this mount
// namespace after their processes and all pods have ended, however they ended: it thaws and
// unmounts the volumes wherever they are mounted, and waits up to 5 s for their loop devices
// to become free. The images stay: removing the state directory is the caller's. A state
// directory that is not there is fine.
func CleanUp(stateDir string) error {
	root, err := filepath.EvalSymlinks(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return fmt.Errorf("clean up CSI volumes: %w", err)
	}
	if err := releaseAll(root); err != nil {
		return fmt.Errorf("clean up CSI volumes: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return process.Until(ctx, func(context.Context) error {
		if left := loopsBelow(root); len(left) > 0 {
			return fmt.Errorf("loop devices %v are still used by a process in another mount namespace: end it", left)
		}
		return nil
	})
}

// loopsBelow returns the loop devices whose images lie below the directory.
func loopsBelow(root string) []string {
	var found []string
	for device, image := range loops() {
		if strings.HasPrefix(image, root+"/") {
			found = append(found, device)
		}
	}
	return found
}

// releaseAll unmounts everything that comes from below root.
func releaseAll(root string) error {
	devices := loopsBelow(root)
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return err
	}
	var failed []error
	// The kernel lists mounts in the order in which they were made: take the last first.
	for i := len(mounts) - 1; i >= 0; i-- {
		m := mounts[i]
		if slices.Contains(devices, m.Source) || strings.HasPrefix(m.Source, root+"/") || strings.HasPrefix(m.Mountpoint, root+"/") {
			failed = append(failed, release(m.Mountpoint))
		}
	}
	for _, device := range devices {
		if err := detach(device); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("free %s: %w", device, err))
		}
	}
	return errors.Join(failed...)
}

// release takes one mount off, lazily, because a process that still stands in it must not
// keep the lab from going down.
func release(mountpoint string) error {
	// A frozen filesystem would never be unmounted; one that cannot be opened is not frozen.
	_ = thawLeftover(mountpoint)
	err := unix.Unmount(mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // gone with another
		return fmt.Errorf("unmount %s: %w", mountpoint, err)
	}
	return nil
}
