package faults

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/policy"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// policyItems prove with throwaway pods what NetworkPolicies do.
var policyItems = []string{"2.3.1", "2.3.3", "N.1.6"}

// hubPolicy is the policy of the customer's namespace that says who may reach the hub.
const hubPolicy = "hub"

// policyFaults are the defects of network policies and their enforcement.
func policyFaults() []Fault {
	return []Fault{
		{
			Name:        "policies-not-enforced",
			Description: "the network plugin enforces no NetworkPolicy: they are accepted, and everything passes",
			Failed:      []string{"2.3.1", "2.3.3"},
			Undecided:   []string{"N.1.6"},
			Words:       []string{"enforced"},
			Break:       stopEnforcing,
			Mend:        enforceAgain,
		},
		{
			Name:        policy.FaultDNSDropped,
			Description: "the network plugin drops the DNS queries of pods that a policy for egress selects",
			Failed:      []string{"N.1.6"},
			Words:       []string{"UDP port 53", "kubernetes.default.svc"},
		},
		{
			Name:        "policy-hub-open",
			Description: "the policy that says who may reach the hub is missing: everybody may",
			Failed:      []string{"2.3.3"},
			Words:       []string{"app=other", "is reached", "no NetworkPolicy"},
			Break:       deleteHubPolicy,
			Mend:        restorePolicies,
		},
		{
			Name:        "policy-hub-closed",
			Description: "the policy of the hub lets in pods of another label than users' pods carry",
			Failed:      []string{"2.3.3"},
			Words:       []string{"network-access-hub", "timeout", "policies that select the hub (hub)"},
			Break:       closeHub,
			Mend:        restorePolicies,
		},
	}
}

// stopEnforcing ends the agents and removes what they wrote.
func stopEnforcing(ctx context.Context, lab *Lab, keep func([]byte) error) error {
	var agents []string
	for _, node := range topology.Nodes() {
		agents = append(agents, policy.Agent(node.Name))
	}
	return errors.Join(stopProcesses(agents...)(ctx, lab, keep), policy.Forget(ctx))
}

func enforceAgain(ctx context.Context, lab *Lab, kept []byte) error {
	if !network.Present() { // the lab is down: `lab up` starts the agents
		return nil
	}
	if err := startProcesses(ctx, lab, kept); err != nil {
		return err
	}
	return process.Until(ctx, policy.Enforced)
}

func deleteHubPolicy(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	return orGone(cluster.Client.NetworkingV1().NetworkPolicies(topology.Namespace).Delete(ctx, hubPolicy, metav1.DeleteOptions{}))
}

func closeHub(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	patch := []byte(`[{"op":"replace","path":"/spec/ingress/0/from/0/podSelector/matchLabels","value":{"hub.jupyter.org/network-access":"true"}}]`)
	_, err = cluster.Client.NetworkingV1().NetworkPolicies(topology.Namespace).Patch(ctx, hubPolicy, types.JSONPatchType, patch, metav1.PatchOptions{})
	return err
}

// restorePolicies applies the seed's policies. What another owner wrote into one stays beside
// them, so it is made anew.
func restorePolicies(ctx context.Context, lab *Lab, _ []byte) error {
	if err := deleteHubPolicy(ctx, lab, nil); err != nil {
		return err
	}
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	if err := seed.Policies(ctx, cluster); err != nil {
		return fmt.Errorf("policies of the namespace: %w", err)
	}
	return nil
}
