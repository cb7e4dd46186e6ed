package csi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stagedOn returns the nodes that have the volume staged now. A record alone does not count:
// without a loop device over the image nothing can be mounted, whatever a killed lab left
// written. The loop device counts rather than the mount, because that may be in another
// node's mount namespace.
func (d *driver) stagedOn(id string) ([]string, error) {
	staged, err := d.store.stagings(id)
	if err != nil {
		return nil, err
	}
	if _, attached := loopOf(d.store.image(id)); !attached {
		return nil, nil
	}
	return staged, nil
}

// stagedElsewhere returns the other nodes among stagedOn.
func (d *driver) stagedElsewhere(id string) ([]string, error) {
	nodes, err := d.stagedOn(id)
	return slices.DeleteFunc(nodes, func(n string) bool { return n == d.node }), err
}

// announce writes down the process that serves this node, through whose eyes the controller
// can see what is mounted there, and drops records of stagings that did not survive.
func (d *driver) announce() error {
	dir := filepath.Join(d.store.dir, "nodes")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, d.node), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	volumes, err := d.store.volumes()
	if err != nil {
		return err
	}
	for _, v := range volumes {
		staged, err := d.store.stagings(v.ID)
		if err != nil {
			return err
		}
		if !slices.Contains(staged, d.node) {
			continue
		}
		there, err := mounted(d.store.whole(v.ID, d.node))
		if err == nil && !there {
			err = d.store.forgetStaging(v.ID, d.node)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// seenFrom is the path as this process reaches what the node's process sees there.
func (s *store) seenFrom(node, path string) (string, error) {
	pid, err := os.ReadFile(filepath.Join(s.dir, "nodes", node))
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	return filepath.Join("/proc", strings.TrimSpace(string(pid)), "root", path), nil
}

// reachable returns a path into the mounted filesystem of the loop device.
func (s *store) reachable(id, device string) (string, error) {
	staged, err := s.stagings(id)
	if err != nil {
		return "", err
	}
	var block unix.Stat_t
	if err := unix.Stat(device, &block); err != nil {
		return "", err
	}
	for _, node := range staged {
		seen, err := s.seenFrom(node, s.whole(id, node))
		if err != nil {
			return "", err
		}
		var st unix.Stat_t
		if unix.Stat(seen, &st) == nil && st.Dev == block.Rdev {
			return seen, nil
		}
	}
	return "", fmt.Errorf("volume %s has a loop device %s, but no node's process shows where it is mounted: restart the driver's node processes", id, device)
}

// copyAtRest copies a volume's image while nothing is written to it: a mounted filesystem is
// frozen for as long as that takes, which also brings its journal to the image. The caller
// holds the volume's lock.
func (d *driver) copyAtRest(ctx context.Context, id, to string) error {
	image := d.store.image(id)
	nodes, err := d.stagedOn(id)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return copySparse(ctx, image, to)
	}
	device, _ := loopOf(image)
	path, err := d.store.reachable(id, device)
	if err != nil {
		return err
	}
	thaw, err := freeze(path)
	if err != nil {
		return err
	}
	return errors.Join(copySparse(ctx, image, to), thaw())
}

// thawAll undoes the freeze of a process that was killed while it copied.
func (d *driver) thawAll() error {
	volumes, err := d.store.volumes()
	if err != nil {
		return err
	}
	var failed []error
	for _, v := range volumes {
		device, ok := loopOf(d.store.image(v.ID))
		if !ok {
			continue
		}
		path, err := d.store.reachable(v.ID, device)
		if err != nil { // its node is not up, so nobody waits either
			continue
		}
		failed = append(failed, thawLeftover(path))
	}
	return errors.Join(failed...)
}
