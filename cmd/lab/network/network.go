// Package network makes the lab's underlay: a bridge on the host and a network namespace for
// each node, with routes between the pod ranges. It touches no firewall rule of the host.
package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"aiv.internal/conformance/cmd/lab/topology"
)

// namespaces is where iproute2 keeps the names of network namespaces.
const namespaces = "/run/netns"

// Namespace is the file that stands for a node's network namespace.
func Namespace(node string) string { return filepath.Join(namespaces, node) }

// Up makes what is not there yet. The caller serialises Up and Down.
func Up(ctx context.Context) error {
	if !exists("/sys/class/net/" + topology.Bridge) {
		if err := ip(ctx,
			"link add "+topology.Bridge+" type bridge",
			"address add "+topology.HostCIDR+" dev "+topology.Bridge,
			"link set "+topology.Bridge+" up",
		); err != nil {
			return fmt.Errorf("bridge %s: %w", topology.Bridge, err)
		}
	}
	for _, address := range []string{topology.DNSServer1, topology.DNSServer2} {
		if err := ip(ctx, "address replace "+address+"/32 dev "+topology.Bridge); err != nil {
			return fmt.Errorf("address of a DNS server: %w", err)
		}
	}
	for _, node := range topology.Nodes() {
		if exists(Namespace(node.Name)) {
			continue
		}
		if err := addNode(ctx, node); err != nil {
			return fmt.Errorf("network of %s: %w", node.Name, err)
		}
	}
	return hostRoutes(ctx)
}

func addNode(ctx context.Context, node topology.Node) error {
	cable := cable(node)
	if err := ip(ctx,
		"netns add "+node.Name,
		"link add "+cable+" type veth peer name eth0 netns "+node.Name,
		"link set "+cable+" master "+topology.Bridge+" up",
	); err != nil {
		return err
	}
	commands := []string{
		"link set lo up",
		"address add " + node.IP + topology.PrefixBits + " dev eth0",
		"link set eth0 up",
		"route add default via " + topology.HostIP,
	}
	for _, other := range topology.Nodes() {
		if other.Name != node.Name {
			commands = append(commands, "route add "+other.PodCIDR+" via "+other.IP)
		}
	}
	if err := ipIn(ctx, node.Name, commands...); err != nil {
		return err
	}
	// /proc/sys/net shows the namespace of the process that opens it.
	return run(ctx, "", "nsenter", "--net="+Namespace(node.Name), "sh", "-c",
		"echo 1 > /proc/sys/net/ipv4/ip_forward")
}

// hostRoutes lets the host reach pods and services, as AIV's network reaches the cluster's
// through a router. Services go through the first node, whose kube-proxy masquerades them.
func hostRoutes(ctx context.Context) error {
	first := topology.Nodes()[0]
	commands := []string{"route replace " + topology.ServiceCIDR + " via " + first.IP}
	for _, node := range topology.Nodes() {
		commands = append(commands, "route replace "+node.PodCIDR+" via "+node.IP)
	}
	return ip(ctx, commands...)
}

// Down removes everything that Up made. What is not there is not missed.
func Down(ctx context.Context) error {
	var failed []error
	for _, node := range topology.Nodes() {
		if exists(Namespace(node.Name)) {
			failed = append(failed, ip(ctx, "netns delete "+node.Name))
		}
		// The cable goes with its namespace, but only when the last process has left it.
		failed = append(failed, deleteLink(ctx, cable(node)))
	}
	failed = append(failed, deleteLink(ctx, topology.Bridge))
	failed = append(failed, removeEmptyNamespaces(ctx))
	return errors.Join(failed...)
}

// deleteLink deletes an interface. The kernel may be deleting it at the same moment, because
// its namespace ends.
func deleteLink(ctx context.Context, name string) error {
	if !exists("/sys/class/net/" + name) {
		return nil
	}
	if err := ip(ctx, "link delete "+name); err != nil && exists("/sys/class/net/"+name) {
		return err
	}
	return nil
}

// removeEmptyNamespaces undoes the mount on itself that `ip netns add` makes of its folder,
// unless somebody else has a namespace there.
func removeEmptyNamespaces(ctx context.Context) error {
	left, err := os.ReadDir(namespaces)
	if err != nil || len(left) > 0 {
		return nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for range strings.Count(string(mounts), " "+namespaces+" ") {
		if err := run(ctx, "", "umount", namespaces); err != nil {
			return err
		}
	}
	return os.Remove(namespaces)
}

// Present says whether the bridge and every node's namespace are there.
func Present() bool {
	for _, node := range topology.Nodes() {
		if !exists(Namespace(node.Name)) {
			return false
		}
	}
	return exists("/sys/class/net/" + topology.Bridge)
}

// cable is the host's end of the node's cable; interface names have 15 characters at most.
func cable(node topology.Node) string { return "v" + node.Name }

func ip(ctx context.Context, commands ...string) error {
	return run(ctx, strings.Join(commands, "\n"), "ip", "-batch", "-")
}

func ipIn(ctx context.Context, node string, commands ...string) error {
	return run(ctx, strings.Join(commands, "\n"), "ip", "-netns", node, "-batch", "-")
}

func run(ctx context.Context, input string, arguments ...string) error {
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
