package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

const cgroupRoot = "/sys/fs/cgroup"

// controllers are those of cgroup v2 that the kubelet demands of its root group as far as the
// machine has them (getSupportedUnifiedControllers in pkg/kubelet/cm), and io, which runc uses.
var controllers = []string{"cpu", "cpuset", "memory", "hugetlb", "pids", "io"}

// unified says whether cgroup v2 is mounted there.
func unified(root string) bool {
	_, err := os.Stat(filepath.Join(root, "cgroup.controllers"))
	return err == nil
}

// hierarchies are the roots below which a node needs a group of its own: one for each
// controller in cgroup v1, a single one in v2.
func hierarchies() []string {
	if unified(cgroupRoot) {
		return []string{cgroupRoot}
	}
	var roots []string
	entries, _ := os.ReadDir(cgroupRoot)
	for _, entry := range entries {
		root := filepath.Join(cgroupRoot, entry.Name())
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
			roots = append(roots, root)
		}
	}
	return roots
}

// makeCgroups makes the node's group in each hierarchy; the kubelet refuses to start when
// its cgroupRoot is not there. A new v1 cpuset is empty and takes no process until it is
// given processors and memory.
func makeCgroups(node topology.Node) error {
	for _, root := range hierarchies() {
		if unified(root) {
			if err := enableControllers(root); err != nil {
				return err
			}
		}
		group := filepath.Join(root, node.Name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return err
		}
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inheritCpuset(root, group, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// enableControllers gives the groups below the root of a cgroup v2 hierarchy the controllers
// that a kubelet demands. They stay when the lab goes: others may use them by then. All
// machines that the lab was tried on have cgroup v1; this was not tried on one with v2.
func enableControllers(root string) error {
	offered, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var wanted []string
	for controller := range strings.FieldsSeq(string(offered)) {
		if slices.Contains(controllers, controller) {
			wanted = append(wanted, "+"+controller)
		}
	}
	if len(wanted) == 0 { // v2 is mounted beside v1, which has all controllers
		return nil
	}
	// To enable what is enabled already changes nothing.
	err = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte(strings.Join(wanted, " ")), 0o644)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("cgroup v2: enable the controllers %s: %w: this is a container, and processes are in its root group: "+
			"move them into a group below it, or start the container with --cgroupns=host", strings.Join(wanted, " "), err)
	}
	if err != nil {
		return fmt.Errorf("cgroup v2: enable the controllers %s, which the kubelet demands: %w", strings.Join(wanted, " "), err)
	}
	return nil
}

func inheritCpuset(root, group, name string) error {
	parent, err := os.ReadFile(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	own, err := os.ReadFile(filepath.Join(group, name))
	if err != nil || len(bytes.TrimSpace(own)) > 0 {
		return err
	}
	return os.WriteFile(filepath.Join(group, name), bytes.TrimSpace(parent), 0o644)
}

// RemoveCgroups kills what still runs in the nodes' groups and removes them, deepest first.
func RemoveCgroups() error {
	var failed []error
	for _, root := range hierarchies() {
		for _, node := range topology.Nodes() {
			failed = append(failed, removeTree(filepath.Join(root, node.Name)))
		}
	}
	return errors.Join(failed...)
}

func removeTree(top string) error {
	var groups []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return nil // a group that disappears while we look is what we want
	})
	if err != nil {
		return err
	}
	slices.Reverse(groups)
	var failed []error
	for _, group := range groups {
		if err := process.Kill(members(group)...); err != nil {
			failed = append(failed, err)
		}
		if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func members(group string) []int {
	content, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(content)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
