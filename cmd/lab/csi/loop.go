package csi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// loopMajor is the block major number of loop devices (Documentation/admin-guide/devices.txt).
const loopMajor = 7

// attach returns an open loop device over the image: the one there is, or a new one. The
// device disappears by itself with its last user (autoclear), so keep the file open until
// the filesystem is mounted. The caller holds the volume's lock.
func attach(image string) (*os.File, error) {
	if name, ok := loopOf(image); ok {
		dev, err := os.OpenFile(name, os.O_RDWR, 0)
		if err == nil {
			if still, ok := loopOf(image); ok && still == name {
				return dev, nil
			}
			dev.Close() // its last user went away while we opened it
		}
	}
	back, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer back.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("loop devices are needed: %w", err)
	}
	defer control.Close()
	// Others on the machine take free devices too: ask again for the next one.
	for range 64 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("free loop device: %w", err)
		}
		dev, err := openLoop(n)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(dev.Fd()), &unix.LoopConfig{
			Fd:   uint32(back.Fd()),
			Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR},
		})
		if err == nil {
			return dev, nil
		}
		dev.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("loop device over %s: %w", image, err)
		}
	}
	return nil, fmt.Errorf("no free loop device for %s after 64 tries", image)
}

// openLoop opens /dev/loopN, and makes the node where /dev is not kept by the kernel.
func openLoop(n int) (*os.File, error) {
	name := fmt.Sprintf("/dev/loop%d", n)
	dev, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(loopMajor, uint32(n)))); err != nil {
			return nil, fmt.Errorf("device node %s: %w", name, err)
		}
		dev, err = os.OpenFile(name, os.O_RDWR, 0)
	}
	return dev, err
}

// loopOf returns the loop device over the image, if there is one.
func loopOf(image string) (device string, ok bool) {
	for device, file := range loops() {
		if file == image {
			return device, true
		}
	}
	return "", false
}

// loops returns the backing file of every loop device in use, by device.
func loops() map[string]string {
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file") // the pattern is valid
	found := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil { // released meanwhile
			continue
		}
		device := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(f)))
		found[device] = strings.TrimSuffix(strings.TrimSpace(string(data)), " (deleted)")
	}
	return found
}

// refreshSize makes the kernel see that the image has grown.
func refreshSize(device string) error {
	dev, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer dev.Close()
	if err := unix.IoctlSetInt(int(dev.Fd()), unix.LOOP_SET_CAPACITY, 0); err != nil {
		return fmt.Errorf("new size of %s: %w", device, err)
	}
	return nil
}

// detach releases the loop device; one in use is released with its last user.
func detach(device string) error {
	dev, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer dev.Close()
	err = unix.IoctlSetInt(int(dev.Fd()), unix.LOOP_CLR_FD, 0)
	if errors.Is(err, unix.ENXIO) { // nobody holds it any more
		return nil
	}
	return err
}
