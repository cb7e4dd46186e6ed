package network

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

// isolation is the proof that policies are enforced: a client reaches a server, a policy stops
// it, and another one lets it through again.
type isolation struct {
	server, client member
	// from and to are the nodes of the client and the server.
	from, to string
	// reached: the client reached the server before there was any policy of ours. closed: it did
	// so only when we allowed it, because policies of the namespace forbid what is not allowed.
	reached, closed bool
	// denied and allowed are how long the network took to obey; 0 where it did not.
	denied, allowed time.Duration
	// leaked: the way did not stay closed. byNumber: the port had to be allowed by its number.
	leaked, byNumber bool
	// err is what kept the proof from being made.
	err   error
	story *probe.ReachResult
}

// client runs the client, which also tries the hub where it stands for a source.
func (c chain) client(ctx context.Context, server, target *throwaway.Pod, also *source) member {
	targets := []string{portOf(server, proofPort)}
	var labels map[string]string
	if also != nil {
		targets, labels = append(targets, portOf(target, also.port)), also.labels
	}
	pod, err := c.pod(ctx, roleClient, labels, nil, probe.ReachOptions{Targets: targets})
	if err == nil {
		err = within(ctx, startTime, pod.Running)
	}
	return member{pod, err}
}

// isolate makes the proof, and has the client tell what it saw: where it stands for a source too,
// not before it has tried for as long as a source does.
func (c chain) isolate(ctx context.Context, i *isolation, required, doubles bool) {
	if i.err = firstError(i.server.err, i.client.err); i.err != nil {
		return
	}
	i.from, i.to = i.client.pod.Node(), i.server.pod.Node()
	began := time.Now()
	if i.err = c.change(ctx, i, required); i.err == nil && doubles {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(began.Add(sourceTime))):
		}
	}
	story, err := tell(ctx, i.client.pod)
	if err == nil {
		i.story = &story
	}
	i.err = firstError(i.err, err)
}

// change puts policies before the server and watches what the client reaches.
func (c chain) change(ctx context.Context, i *isolation, required bool) error {
	client := i.client.pod
	step("see whether pod %s reaches pod %s", client.Name(), i.server.pod.Name())
	var err error
	if i.reached, _, err = turn(ctx, changeTime, client.Ready); err != nil || !required {
		return err
	}
	var opened *throwaway.Policy
	if !i.reached {
		if opened, err = c.open(ctx); err != nil {
			return err
		}
		if i.closed, _, err = turn(ctx, changeTime, client.Ready); err != nil || !i.closed {
			return err
		}
	}
	step("deny what comes to pod %s", i.server.pod.Name())
	if opened != nil {
		err = opened.Delete(ctx) // policies of the namespace deny then
	} else {
		_, err = c.kit.NetworkPolicy(ctx, throwaway.PolicyOptions{Name: "deny", Role: roleServer, Ingress: []networkingv1.NetworkPolicyIngressRule{}})
	}
	if err != nil {
		return err
	}
	stopped, took, err := turn(ctx, changeTime, client.NotReady)
	if err != nil || !stopped {
		return err
	}
	i.denied = took
	if i.leaked, _, err = turn(ctx, holdTime, client.Ready); err != nil || i.leaked {
		return err
	}
	step("allow it again")
	return c.allowAgain(ctx, i)
}

// allowAgain allows the client by the name of the server's port, and where that does not open
// the way, by its number.
func (c chain) allowAgain(ctx context.Context, i *isolation) error {
	for _, port := range []intstr.IntOrString{intstr.FromString(proofName), intstr.FromInt32(proofPort)} {
		if _, err := c.kit.NetworkPolicy(ctx, c.allow(port)); err != nil {
			return err
		}
		reached, took, err := turn(ctx, changeTime, i.client.pod.Ready)
		if err != nil {
			return err
		}
		if reached {
			i.allowed, i.byNumber = took, port.Type == intstr.Int
			return nil
		}
	}
	return nil
}

// allow lets the client in.
func (c chain) allow(port intstr.IntOrString) throwaway.PolicyOptions {
	return throwaway.PolicyOptions{Name: "allow", Role: roleServer, Ingress: []networkingv1.NetworkPolicyIngressRule{{
		From:  []networkingv1.NetworkPolicyPeer{{PodSelector: ptr.To(c.kit.PodsOf(roleClient))}},
		Ports: []networkingv1.NetworkPolicyPort{{Port: &port}},
	}}}
}

// open allows both ends of the way, where policies of the namespace forbid what is not allowed.
func (c chain) open(ctx context.Context) (*throwaway.Policy, error) {
	_, err := c.kit.NetworkPolicy(ctx, throwaway.PolicyOptions{Name: "out", Role: roleClient, Egress: []networkingv1.NetworkPolicyEgressRule{{
		To: []networkingv1.NetworkPolicyPeer{{PodSelector: ptr.To(c.kit.PodsOf(roleServer))}},
	}}})
	if err != nil {
		return nil, err
	}
	return c.kit.NetworkPolicy(ctx, c.allow(intstr.FromInt32(proofPort)))
}

// judge is the verdict where policies are required.
func (i isolation) judge() error {
	const expected = "a NetworkPolicy that selects a pod stops what it forbids, and what another one allows passes"
	switch {
	case i.err != nil:
		return hindered(i.err)
	case !i.reached && !i.closed:
		return finding.Failed("two pods of the namespace reach each other before a NetworkPolicy forbids it",
			"they do not, not even where NetworkPolicies allow it: "+i.kinds(),
			"pods do not reach each other at all, or policies of another kind (of the network plugin's own, or cluster-wide) forbid it",
			"look at the network plugin's own policies and its state on nodes "+i.nodes())
	case i.denied == 0:
		return finding.Failed(expected, fmt.Sprintf("the policy was accepted but not enforced: after %v the pod was still reached", changeTime),
			"the network plugin does not implement NetworkPolicies (such as flannel alone), its policy controller is switched off, or it does not run on node "+i.to,
			"have a network plugin installed that enforces NetworkPolicies, or its enforcement switched on")
	case i.leaked:
		return finding.Failed(expected, fmt.Sprintf("the policy was obeyed for less than %v: then the pod was reached again", holdTime),
			"the policy is not on all ways to the pod, or something keeps removing it: two network plugins, or a controller that restarts",
			"look at the log of the network plugin on nodes "+i.nodes())
	case i.allowed == 0:
		return finding.Failed(expected, fmt.Sprintf("what was denied stays so: %v after another policy allowed it, the pod was not reached: %s", changeTime, i.kinds()),
			"the network plugin does not add up policies, or does not find the pods that a policy's podSelector names",
			"look at the log of the network plugin on node "+i.to)
	case i.byNumber:
		return finding.Failed(expected, "a policy that allows a port by its name lets nothing through; one with its number does",
			"the network plugin does not resolve named ports, which the policies of JupyterHub's chart use",
			"have the network plugin brought up to date, or set the ports of the chart's policies by their numbers")
	}
	return nil
}

// judgeOpen is the verdict where policies are not required: nothing is in the way.
func (i isolation) judgeOpen() error {
	if i.err != nil {
		return hindered(i.err)
	}
	if !i.reached {
		return finding.Failed("pods of the namespace reach each other, because no policies are required", "they do not: "+i.kinds(),
			"a NetworkPolicy of the namespace or the cluster forbids it, or pods do not reach each other at all",
			"answer networkPolicies.required: yes if policies are wanted, or have them removed")
	}
	return nil
}

// kinds are the ways in which the client did not reach the server.
func (i isolation) kinds() string {
	if i.story == nil || len(i.story.Targets) == 0 {
		return "no connection"
	}
	var kinds []string
	for _, phase := range i.story.Targets[0].Phases {
		if !phase.OK() && !slices.Contains(kinds, phase.Trouble.Kind) {
			kinds = append(kinds, phase.Trouble.Kind)
		}
	}
	return strings.Join(kinds, ", ")
}

func (i isolation) nodes() string {
	return strings.Join(slices.Compact([]string{i.from, i.to}), " and ")
}

// storyOf is what the client saw of a target.
func (i isolation) storyOf(target string) (*probe.Reached, error) {
	if i.story == nil {
		return nil, i.err
	}
	for _, reached := range i.story.Targets {
		if reached.Target == target {
			return &reached, nil
		}
	}
	return nil, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
