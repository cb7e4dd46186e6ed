// Package firewall is the simulated company's firewall between the pods and everything outside
// the cluster: one nftables table of its own in each node's network namespace. It judges what
// pods send, not what the nodes send themselves, and touches no other table. The host's own
// firewall is left alone. The table goes with the namespace.
package firewall

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/topology"
)

// table is the name of the firewall's table in nftables.
const table = "company-firewall"

// The planted faults that the firewall heeds.
const (
	FaultRegistryDropped = "egress-registry-dropped"
	FaultRegistryRefused = "egress-registry-refused"
	FaultIdentityDropped = "egress-identity-dropped"
	FaultGitLabDropped   = "egress-gitlab-dropped"
	FaultStorageRefused  = "egress-storage-refused"
	FaultForbiddenOpen   = "egress-forbidden-open"
	FaultMetadataOpen    = "metadata-open"
)

// What becomes of a packet: drop leaves its sender waiting, refuse closes the connection.
const (
	drop   = "drop"
	refuse = "reject with tcp reset"
)

// faulty are the ports at the host that a fault closes to pods.
var faulty = []struct{ fault, port, verdict string }{
	{FaultRegistryDropped, topology.RegistryPort, drop},
	{FaultRegistryRefused, topology.RegistryPort, refuse},
	{FaultIdentityDropped, topology.EntraPort, drop},
	{FaultGitLabDropped, topology.GitLabPort, drop},
	{FaultStorageRefused, topology.S3Port, refuse},
}

// Apply makes the firewall of every node what the planted faults leave of it; active tells
// whether one is planted. Each node's rules change at one moment.
func Apply(ctx context.Context, active func(fault string) bool) error {
	var failed []error
	for _, node := range topology.Nodes() {
		if err := load(ctx, node.Name, rules(active)); err != nil {
			failed = append(failed, fmt.Errorf("firewall at %s: %w", node.Name, err))
		}
	}
	return errors.Join(failed...)
}

// Ready returns nil if every node has the firewall's table.
func Ready(ctx context.Context) error {
	for _, node := range topology.Nodes() {
		if err := nft(ctx, node.Name, "", "list", "table", "ip", table); err != nil {
			return fmt.Errorf("no firewall at %s: %w", node.Name, err)
		}
	}
	return nil
}

// rules is the table as nft(8) reads it. To name the table first lets it be deleted where it
// is not there yet.
func rules(active func(fault string) bool) string {
	var text strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&text, format+"\n", values...) }
	line("table ip %s", table)
	line("delete table ip %s", table)
	line("table ip %s {", table)
	line("  chain pods {")
	line("    type filter hook forward priority filter - 5; policy accept;")
	line("    ip saddr != %s accept", topology.PodCIDR)
	if !active(FaultForbiddenOpen) {
		line("    ip daddr %s tcp dport %s %s", topology.HostIP, topology.OutsidePort, drop)
	}
	line("    ip daddr %s %s", topology.MetadataNetwork, drop)
	for _, closed := range faulty {
		if active(closed.fault) {
			line("    ip daddr %s tcp dport %s %s", topology.HostIP, closed.port, closed.verdict)
		}
	}
	line("  }")
	if active(FaultMetadataOpen) {
		// As clouds do it: the address is nobody's, and the node leads it to a server.
		line("  chain metadata {")
		line("    type nat hook prerouting priority dstnat - 5; policy accept;")
		line("    ip saddr %s ip daddr %s tcp dport 80 dnat to %s", topology.PodCIDR, topology.MetadataIP,
			net.JoinHostPort(topology.HostIP, topology.MetadataPort))
		line("  }")
	}
	line("}")
	return text.String()
}

func load(ctx context.Context, node, rules string) error { return nft(ctx, node, rules, "-f", "-") }

// nft runs nft(8) in the node's network namespace.
func nft(ctx context.Context, node, input string, arguments ...string) error {
	command := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + network.Namespace(node), "--", "nft"}, arguments...)...)
	command.Stdin = strings.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
