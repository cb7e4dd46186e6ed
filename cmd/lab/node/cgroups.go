package node

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

const cgroupRoot = "/sys/fs/cgroup"

// hierarchies are the roots below which a node needs a group of its own: one for each
// controller in cgroup v1, a single one in v2.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
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
