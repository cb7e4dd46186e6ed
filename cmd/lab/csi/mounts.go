package csi

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// mountFlags translates the mount options that are flags of mount(2); the others are the
// filesystem's own.
var mountFlags = map[string]uintptr{
	"rw": 0, "defaults": 0,
	"ro": unix.MS_RDONLY, "noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME,
	"relatime": unix.MS_RELATIME, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV,
	"noexec": unix.MS_NOEXEC, "sync": unix.MS_SYNCHRONOUS,
}

// splitOptions parts mount options into flags and the filesystem's data.
func splitOptions(options []string) (flags uintptr, data string) {
	var own []string
	for _, o := range options {
		if f, ok := mountFlags[o]; ok {
			flags |= f
		} else {
			own = append(own, o)
		}
	}
	return flags, strings.Join(own, ",")
}

// mountXFS mounts the device. nouuid because a restored volume has the UUID of its source.
func mountXFS(device, target string, options []string) error {
	flags, data := splitOptions(append([]string{"nouuid"}, options...))
	if err := unix.Mount(device, target, "xfs", flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", device, target, err)
	}
	return nil
}

// bind shows the directory at the target as well.
func bind(source, target string, readOnly bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", source, target, err)
	}
	if !readOnly {
		return nil
	}
	if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return errors.Join(fmt.Errorf("make %s read-only: %w", target, err), unix.Unmount(target, 0))
	}
	return nil
}

// mounted reports whether something is mounted at exactly that path. Only the parent is
// resolved: the path itself may be a mount whose server has died.
func mounted(path string) (bool, error) {
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	found, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(filepath.Join(parent, filepath.Base(path))))
	return len(found) > 0, err
}

// unmountAll takes off whatever is mounted at the path; nothing there is fine.
func unmountAll(path string) error {
	for {
		is, err := mounted(path)
		if err != nil || !is {
			return err
		}
		if err := unix.Unmount(path, unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
}
