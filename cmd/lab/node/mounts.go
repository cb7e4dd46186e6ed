package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Holder is the process that keeps the lab's mount namespace. All nodes share the namespace:
// what kubelets, containers and the CSI driver mount is invisible to the host, has the short
// paths that sockets need, and is gone with the last process, however that ended.
const Holder = "mounts"

// seen are the folders that the nodes see at these places, each backed by one in .lab/nodes.
// Kubelet, containerd and CNI have some of them compiled in.
var seen = []string{
	"/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/run/containerd",
	"/var/log/pods", "/var/log/containers",
}

// KubeletRoot is a node's kubelet folder as its processes see it.
func KubeletRoot(node string) string { return filepath.Join("/var/lib/kubelet", node) }

// madeFile lists the folders that had to be made as mount points.
func madeFile(dir state.Dir) string { return dir.Path("mountpoints.json") }

// Hold starts the holder: a new mount namespace that receives the host's mounts and gives
// none back.
func Hold(ctx context.Context, supervisor process.Supervisor) error {
	dir := supervisor.Dir
	if _, running := supervisor.Find(Holder); running {
		return nil
	}
	if err := makeMountPoints(dir); err != nil {
		return err
	}
	hosts := "127.0.0.1 localhost\n" + network.HostLines()
	for name, content := range map[string]string{
		"hosts": hosts,
		// Nodes ask nobody: the lab has no outside, and names come from the hosts file.
		"resolv.conf": "# the lab's nodes have no name server\n",
	} {
		if err := os.WriteFile(dir.Path("nodes", name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	ready := dir.Run("mounts.ready")
	if err := os.Remove(ready); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	script := []string{"set -e"}
	for _, folder := range seen {
		script = append(script, fmt.Sprintf("mount --bind %q %q", dir.Path("nodes", folder), folder))
	}
	script = append(script,
		fmt.Sprintf("mount --bind %q /etc/hosts", dir.Path("nodes", "hosts")),
		// Volumes that a pod asks to have propagated need shared mounts, inside the lab.
		"mount --make-rshared /",
		// All but one folder, which each kubelet sees as its own (withDevicePlugins).
		fmt.Sprintf("mkdir -p %q", devicePlugins),
		fmt.Sprintf("mount --bind %[1]q %[1]q", devicePlugins),
		fmt.Sprintf("mount --make-private %q", devicePlugins),
		fmt.Sprintf("touch %q", ready),
		fmt.Sprintf("exec %q", dir.Bin("pause")))
	return supervisor.Start(ctx, process.Spec{
		Name:    Holder,
		Command: []string{"unshare", "--mount", "--propagation", "slave", "sh", "-c", strings.Join(script, "\n")},
		Ready: func(context.Context) error {
			_, err := os.Stat(ready)
			return err
		},
	})
}

// devicePlugins is where a kubelet listens for device plugins and remembers their devices,
// whatever its own folder is: the path is compiled in (k8s.io/kubelet, DevicePluginPath), and
// two kubelets that see one folder there take each other's socket away.
const devicePlugins = "/var/lib/kubelet/device-plugins"

// withDevicePlugins lets a kubelet see its own folder at that path, by a mount namespace of its
// own. Everything else that it or a driver mounts goes on to be seen by both, because only the
// mount point is private.
func withDevicePlugins(node string, command ...string) []string {
	return bindOver(filepath.Join(KubeletRoot(node), filepath.Base(devicePlugins)), devicePlugins, command...)
}

// bindOver runs a command that sees folder at the path of the mount point.
func bindOver(folder, mountPoint string, command ...string) []string {
	script := fmt.Sprintf("mount --bind %q %q && exec \"$@\"", folder, mountPoint)
	return append([]string{"unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, "sh"}, command...)
}

// Enter leads a command into the lab's mount namespace, and into the node's network where
// node is not empty.
func Enter(supervisor process.Supervisor, node string, command ...string) ([]string, error) {
	holder, running := supervisor.Find(Holder)
	if !running {
		return nil, errors.New("the lab's mount namespace is gone: run `lab up`")
	}
	enter := []string{"nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", holder.PID)}
	if node != "" {
		enter = append(enter, "--net="+network.Namespace(node))
	}
	return slices.Concat(enter, []string{"--"}, command), nil
}

func makeMountPoints(dir state.Dir) error {
	var made []string
	for _, folder := range seen {
		if err := os.MkdirAll(dir.Path("nodes", folder), 0o755); err != nil {
			return err
		}
		for missing := folder; ; missing = filepath.Dir(missing) {
			if _, err := os.Stat(missing); err == nil {
				break
			}
			made = append(made, missing)
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if len(made) == 0 {
		return nil
	}
	content, err := json.Marshal(append(readMade(dir), made...))
	if err != nil {
		return err
	}
	return os.WriteFile(madeFile(dir), content, 0o644)
}

func readMade(dir state.Dir) []string {
	var made []string
	if content, err := os.ReadFile(madeFile(dir)); err == nil {
		_ = json.Unmarshal(content, &made) // a damaged list leaves empty folders behind, no more
	}
	return made
}

// RemoveMountPoints removes the folders that the lab made, as far as they are empty, the
// longest path first.
func RemoveMountPoints(dir state.Dir) error {
	made := readMade(dir)
	slices.SortFunc(made, func(a, b string) int { return len(b) - len(a) })
	for _, folder := range made {
		// One that somebody else uses by now is not empty, and stays.
		_ = os.Remove(folder)
	}
	if err := os.Remove(madeFile(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// file is a configuration file of one node.
func file(dir state.Dir, node topology.Node, name string) string { return dir.Node(node.Name, name) }
