// Package policy enforces NetworkPolicies on the lab's nodes, as a network plugin does at a
// customer's: a process on each node watches pods, namespaces and policies, and writes what they
// say into an nftables table of its own in the node's network namespace, where the kernel obeys
// it. Traffic of a pod passes the forward hook, that of the node itself does not, so that the
// kubelet always reaches the pods of its node. Policies of the kind networking.k8s.io/v1 are all
// that it knows, IPv4 all that it sees.
package policy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// table is the agent's own, of the family ip.
const table = "lab-policy"

// FaultDNSDropped is the fault whose marker makes the agents drop the DNS queries of every pod
// that a policy for egress selects, whatever the policy says.
const FaultDNSDropped = "policy-drops-dns"

// Agent is the name of the agent's process on the node.
func Agent(node string) string { return "policy-" + node }

// StartNode starts the agent of a node. It waits for the API server by itself.
func StartNode(ctx context.Context, supervisor process.Supervisor, worker topology.Node) error {
	command, err := node.Enter(supervisor, worker.Name, supervisor.Dir.Bin("lab"), "serve", "policy",
		"--node="+worker.Name, "--kubeconfig="+supervisor.Dir.AdminKubeconfig())
	if err != nil {
		return err
	}
	return supervisor.Start(ctx, process.Spec{Name: Agent(worker.Name), Command: command})
}

// Enforced returns nil once every node has a table, which the agent makes when it knows all
// policies.
func Enforced(ctx context.Context) error {
	for _, worker := range topology.Nodes() {
		if err := nft(ctx, worker.Name, "list", "table", "ip", table); err != nil {
			return fmt.Errorf("NetworkPolicies are not enforced on %s: %w", worker.Name, err)
		}
	}
	return nil
}

// Forget removes what the agents wrote, which outlives them: a network without an agent lets
// everything pass.
func Forget(ctx context.Context) error {
	var failed []error
	for _, worker := range topology.Nodes() {
		err := nft(ctx, worker.Name, "delete", "table", "ip", table)
		if err != nil && !strings.Contains(err.Error(), "No such file") {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// nft runs the tool in the node's network namespace.
func nft(ctx context.Context, worker string, arguments ...string) error {
	command := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + network.Namespace(worker), "nft"}, arguments...)...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
