// Package node runs the lab's workers: for each a network namespace, control groups, a
// containerd, a kubelet and a kube-proxy, all upstream's or Debian's own.
package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"aiv.internal/conformance/cmd/lab/images"
	"aiv.internal/conformance/cmd/lab/kubeconfig"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Names of the node's processes.
func Containerd(node string) string { return "containerd-" + node }
func Kubelet(node string) string    { return "kubelet-" + node }
func Proxy(node string) string      { return "kube-proxy-" + node }

func socket(node topology.Node) string {
	return filepath.Join("/run/containerd", node.Name, "containerd.sock")
}

// StartRuntime starts the node's containerd and gives it the cluster's own images.
func StartRuntime(ctx context.Context, supervisor process.Supervisor, node topology.Node) error {
	if err := Configure(supervisor.Dir, node); err != nil {
		return err
	}
	if err := makeCgroups(node); err != nil {
		return fmt.Errorf("control groups of %s: %w", node.Name, err)
	}
	command, err := Enter(supervisor, node.Name, "containerd", "--config", file(supervisor.Dir, node, "containerd.toml"))
	if err != nil {
		return err
	}
	err = supervisor.Start(ctx, process.Spec{
		Name: Containerd(node.Name), Command: command,
		Ready: func(ctx context.Context) error { return ctr(ctx, supervisor, node, "version") },
	})
	if err != nil {
		return err
	}
	return importImages(ctx, supervisor, node)
}

// importImages loads the images that the node has not yet.
func importImages(ctx context.Context, supervisor process.Supervisor, node topology.Node) error {
	present, err := ctrOutput(ctx, supervisor, node, "--namespace", "k8s.io", "images", "list", "--quiet")
	if err != nil {
		return err
	}
	for _, image := range images.All() {
		if strings.Contains(present, image.Tag) {
			continue
		}
		if err := ctr(ctx, supervisor, node, "--namespace", "k8s.io", "images", "import", image.Archive(supervisor.Dir)); err != nil {
			return fmt.Errorf("image %s on %s: %w", image.Tag, node.Name, err)
		}
	}
	return nil
}

// Forget removes an image from the node, so that the next pod pulls it anew.
func Forget(ctx context.Context, supervisor process.Supervisor, node topology.Node, image string) error {
	return ctr(ctx, supervisor, node, "--namespace", "k8s.io", "images", "remove", image)
}

func ctr(ctx context.Context, supervisor process.Supervisor, node topology.Node, arguments ...string) error {
	_, err := ctrOutput(ctx, supervisor, node, arguments...)
	return err
}

func ctrOutput(ctx context.Context, supervisor process.Supervisor, node topology.Node, arguments ...string) (string, error) {
	command, err := Enter(supervisor, "", append([]string{"ctr", "--address", socket(node)}, arguments...)...)
	if err != nil {
		return "", err
	}
	output, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(string(output)))
	}
	return string(output), nil
}

// StartAgents starts the node's kubelet and kube-proxy. The API server must be there: a
// kubelet that does not find it waits longer and longer between two tries.
func StartAgents(ctx context.Context, supervisor process.Supervisor, node topology.Node) error {
	dir := supervisor.Dir
	command := withDevicePlugins(node.Name, dir.Bin("kubelet"),
		"--config="+file(dir, node, "kubelet.yaml"),
		"--kubeconfig="+kubeconfig.Component(dir, pki.Kubelet(node.Name)),
		"--root-dir="+KubeletRoot(node.Name),
		"--cert-dir="+filepath.Join(KubeletRoot(node.Name), "pki"),
		"--hostname-override="+node.Name,
		"--node-ip="+node.IP,
		"--node-labels=topology.kubernetes.io/zone="+node.Zone+",topology.kubernetes.io/region=lab",
		"--v=1",
	)
	kubelet, err := Enter(supervisor, node.Name, command...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir.Path("nodes", KubeletRoot(node.Name), filepath.Base(devicePlugins)), 0o750); err != nil {
		return err
	}
	if err := supervisor.Start(ctx, process.Spec{Name: Kubelet(node.Name), Command: kubelet}); err != nil {
		return err
	}
	proxy, err := Enter(supervisor, node.Name, dir.Bin("kube-proxy"), "--config="+file(dir, node, "kube-proxy.yaml"), "--v=1")
	if err != nil {
		return err
	}
	return supervisor.Start(ctx, process.Spec{Name: Proxy(node.Name), Command: proxy})
}
