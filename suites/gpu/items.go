package gpu

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

// checkModel is 1.2.1: label, driver and answer name the same model.
func (s *section) checkModel(ctx context.Context) {
	gpu := s.begin(ctx, "gpu.model")
	s.requireGPU(gpu)
	labelled, f := judgeLabels(s.fleet.nodes, gpu.Model, s.modelOn)
	check.Evidence("models by label", labelled)
	read := map[string]int{}
	var all []told
	for _, t := range s.trials() {
		if t.outcome == measured && reads(t.result) {
			read[t.result.Devices[0].Name]++
			if f := judgeModel(t, gpu.Model); f != nil {
				all = append(all, told{t.node.name, f})
			}
		}
	}
	if len(read) > 0 {
		check.Evidence("models by driver", read)
	}
	const expected = "the label, the driver and the answer name the same GPU model"
	report(f)
	report(merge(expected, onlyFailed(all)))
	report(untried(expected, s.asked(gpu)))
	s.ready()
	for _, t := range s.trials() {
		if t.outcome != measured || !reads(t.result) {
			all = append(all, told{t.node.name, s.unread(expected, t)})
		}
	}
	report(merge(expected, append(append(all, s.idle(expected, true)...), s.starved(expected)...)))
}

// checkCount is 1.2.2: each node has as many healthy GPUs as answered.
func (s *section) checkCount(ctx context.Context) {
	gpu := s.begin(ctx, "gpu.perNode")
	s.requireGPU(gpu)
	check.Evidence("resource", s.resource(gpu))
	counts, shared := map[string]int{}, map[string]bool{}
	var all []told
	for _, n := range s.fleet.nodes {
		counts[fmt.Sprintf("%d of %d", n.allocatable, n.capacity)]++
		if text := n.shares(gpu.Resource()); text != "" {
			shared[text] = true
		}
		if f := judgeCount(n, s.asked(gpu), *gpu.PerNode); f != nil {
			all = append(all, told{n.name, f})
		}
		if s.fleet.claims {
			continue // its class says whether a claim gets instances; the device plugin's strategy means nothing
		}
		if f := judgeMIG(n, gpu.Resource(), s.devicesOn(n.name)); f != nil {
			all = append(all, told{n.name, f})
		}
	}
	check.Evidence("nodes by allocatable of capacity", counts)
	for text := range shared {
		check.Evidence("shared", text)
	}
	report(merge(fmt.Sprintf("%d allocatable %s on each GPU node", *gpu.PerNode, s.asked(gpu)), all))
}

// checkPlugin is 1.2.3: the resource is advertised, and a pod that asks for it computes.
func (s *section) checkPlugin(ctx context.Context) {
	gpu := s.begin(ctx, "gpu.devicePlugin")
	report(s.absent(gpu))
	if !*gpu.DevicePlugin && !s.fleet.claims && vendorOf(gpu.Resource()) == "" { // the question is about NVIDIA's
		check.Fail("a device plugin where there are GPUs", "gpu.devicePlugin says no, but "+gpu.Resource()+" is advertised by "+onNodes(s.fleet.names(func(n node) bool { return n.advertised })),
			"the answer is out of date", "correct gpu.devicePlugin")
	}
	check.Evidence("resource", s.resource(gpu))
	const expected = "the CUDA smoke job computes correctly on every GPU node"
	var all []told
	for _, n := range s.fleet.nodes {
		if f := judgeAdvertised(n, s.asked(gpu)); f != nil {
			all = append(all, told{n.name, f})
		}
	}
	if f := untried(expected, s.asked(gpu)); f != nil {
		report(merge(expected, all))
		report(f)
	}
	for _, t := range s.trials() {
		switch {
		case t.outcome == measured:
			check.Evidence("node "+t.node.name, describe(t))
			if f := judge(t.result); f != nil {
				all = append(all, told{t.node.name, f})
			}
		case t.outcome == unplaced:
			all = append(all, told{t.node.name, finding.As(finding.SeeItem(t.why, "1.2.5"))})
		default:
			all = append(all, told{t.node.name, t.why})
		}
	}
	if len(all) == 0 || !slices.ContainsFunc(all, func(t told) bool { return !t.finding.Undecided }) {
		s.ready()
	}
	all = append(all, s.notebook()...)
	report(merge(expected, append(all, s.idle(expected, true)...)))
	check.Evidence("smoke job ran on", s.sample())
	if s.smoke != nil && s.smoke.quota != "" {
		check.Evidence("smoke jobs at a time", fmt.Sprintf("%d, by ResourceQuota %s", s.smoke.most, s.smoke.quota))
	}
	for _, t := range s.trials() {
		if t.result.Health != nil && t.result.Health.RemapPending {
			check.Warn("node "+t.node.name+": bad memory of the GPU is replaced at its next reset", "ECC found it", "drain the node and reset the GPU (nvidia-smi -r) or restart it")
		}
	}
}

// notebook is what the smoke job in the notebook image found, and that in the runner's own did
// not find on the same node.
func (s *section) notebook() []told {
	if s.smoke == nil || s.smoke.notebook == nil {
		return nil
	}
	t := s.smoke.notebook
	f := t.why
	if t.outcome == measured {
		check.Evidence("in the notebook image", describe(t))
		f = judge(t.result)
	}
	if f == nil || sameEnd(t, s.trials()[0]) {
		return nil
	}
	inside := *f
	inside.Found = "in the notebook image " + t.image + ": " + f.Found
	return []told{{t.node.name, &inside}}
}

// sameEnd tells whether two smoke jobs ended for the same reason.
func sameEnd(a, b *trial) bool {
	if a.outcome != b.outcome || a.outcome != measured {
		return a.outcome == b.outcome && a.outcome != prevented
	}
	x, y := a.result.Broken(), b.result.Broken()
	return x != nil && y != nil && x.Name == y.Name && x.Trouble.Kind == y.Trouble.Kind
}

// checkOperator is 1.2.4: the GPU operator has the answered version.
func (s *section) checkOperator(ctx context.Context) {
	gpu := s.begin(ctx, "gpu.operatorVersion")
	target := check.Cluster()
	check.Step("look for the GPU operator")
	o := findOperator(ctx, target.Dynamic, target.Client, s.fleet.operated)
	if o.simulated != "" {
		check.Evidence("simulated", o.simulated)
	}
	if o.where != "" {
		check.Evidence("found", o.where)
		check.Evidence("version", o.version)
	}
	if o.state != "" {
		check.Evidence("state", o.state)
	}
	report(judgeOperator(o, gpu.OperatorVersion))
	if o.where == "" {
		check.Evidence("found", "a plain device plugin, without the GPU operator")
	}
	if o.state != "" && o.state != stateReady {
		check.Warn(o.where+" is in state "+o.state, "not all that the operator runs is ready (kubectl get clusterpolicy, and pods of its namespace)", "see the operator's log before the installation")
	}
}

// checkLabels is 1.2.5: the answered labels and taints lead to the GPU nodes, all of them and
// no others, and only a pod that asks for a GPU gets one.
func (s *section) checkLabels(ctx context.Context) {
	gpu := s.begin(ctx, "gpu.nodeSelector")
	check.Evidence("node selector", gpu.NodeSelector)
	if len(gpu.Taints) > 0 {
		check.Evidence("tolerated taints", gpu.Taints)
	}
	report(judgeSelector(s.fleet, gpu.NodeSelector))
	report(judgeTaints(s.fleet))
	s.requireGPU(gpu)
	report(untried("only a pod that asks for a GPU gets one", s.asked(gpu)))
	if s.control != nil {
		if f := s.control.judge(); f != nil && !f.Undecided {
			report(f)
		}
	}
	s.ready()
	const expected = "a pod with the answered labels and taints is scheduled on the GPU nodes"
	var all []told
	placed := 0
	for _, t := range s.trials() {
		switch {
		case t.placed():
			placed++
		case t.outcome == unplaced:
			all = append(all, told{t.node.name, t.why})
		default:
			all = append(all, told{t.node.name, finding.As(finding.SeeItem(t.why, "1.2.3"))})
		}
	}
	report(merge(expected, append(append(all, s.idle(expected, false)...), s.starved(expected)...)))
	check.Evidence("scheduled on", fmt.Sprintf("%d GPU nodes", placed))
	if s.control == nil {
		check.Undecided("a pod that asks for no GPU sees none", "it could not be tried on any node", "no GPU node takes pods", "see item 1.2.3")
	}
	report(s.control.judge())
	seen := "sees no device, with NVIDIA_VISIBLE_DEVICES=all too"
	if s.control.guarded {
		seen = "is not started with NVIDIA_VISIBLE_DEVICES=all"
	}
	check.Evidence("a pod without a GPU request on node "+s.control.node, seen)
}

// absent says that no node has what pods are to ask for; nil if one has.
func (s *section) absent(gpu answers.GPU) *finding.Finding {
	if s.fleet.advertises() {
		return nil
	}
	found := fmt.Sprintf("none of %d nodes has it", s.fleet.all)
	others := map[string]bool{}
	for _, n := range s.fleet.nodes {
		for _, name := range n.others {
			others[name] = true
		}
	}
	if len(others) > 0 {
		found += "; there is " + strings.Join(sorted(others), ", ")
	}
	if cards := s.fleet.names(func(n node) bool { return !n.advertised }); len(cards) > 0 {
		found += "; by their labels, there are GPUs on " + onNodes(cards)
	}
	if len(s.fleet.leftOut) > 0 {
		found += "; left out: " + names(s.fleet.leftOut)
	}
	return finding.Failed("GPU nodes advertise "+s.resource(gpu), found,
		"the device plugin does not run, or under another resource name (MIG profiles, time slicing), or the nodes' driver is not installed",
		"see the device plugin's pods (kubectl get pods -A -l app=nvidia-device-plugin-daemonset), and correct gpu.resourceName or gpu.deviceClass")
}

// starved are nodes that advertise the resource and have nothing of it left.
func (s *section) starved(expected string) []told {
	var all []told
	for _, n := range s.fleet.nodes {
		if n.obstacle() == "" && n.allocatable == 0 {
			all = append(all, told{n.name, finding.NotDecided(expected, "it was not tried: no GPU is allocatable there", "", "see item 1.2.3")})
		}
	}
	return all
}

// unread says why the driver's model is not known.
func (s *section) unread(expected string, t *trial) *finding.Finding {
	found := "the driver's model was not read"
	if t.why != nil {
		found += ": " + t.why.Found
	} else if f := judge(t.result); f != nil {
		found += ": " + f.Found
	}
	item := "1.2.3"
	if t.outcome == unplaced {
		item = "1.2.5"
	}
	return finding.NotDecided(expected, found, "", "see item "+item)
}

// resource is what pods ask for, in words.
func (s *section) resource(gpu answers.GPU) string {
	if s.fleet.claims {
		return "devices of DeviceClass " + gpu.DeviceClass + " (ResourceSlices)"
	}
	return gpu.Resource()
}

// sample says on how many nodes the smoke job ran, and how they were chosen.
func (s *section) sample() string {
	usable := len(s.fleet.names(node.usable))
	if len(s.chosen) == usable {
		return fmt.Sprintf("all %d usable GPU nodes", usable)
	}
	return fmt.Sprintf("%d of %d usable GPU nodes, taken evenly from the list (gpu.maxNodes)", len(s.chosen), usable)
}
