package gpu

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// judgeLabels holds the model on the nodes' labels against the answer, and counts them. Nodes
// without such a label have no GPU feature discovery: the driver must tell there.
//
// driver returns the model that a node's driver named, "" where it was not asked.
func judgeLabels(nodes []node, answered string, driver func(node string) string) (map[string]int, *finding.Finding) {
	const none = "no label " + productLabel
	counts := map[string]int{}
	var all []told
	for _, n := range nodes {
		if n.product == "" {
			counts[none]++
			continue
		}
		counts[n.product]++
		if !sameModel(n.product, answered) {
			all = append(all, told{n.name, finding.Failed("", fmt.Sprintf("label %s is %s%s", productLabel, n.product, suffixed(", the driver says ", driver(n.name))),
				"other GPUs are built in than answered, or GPU feature discovery is out of date",
				"correct gpu.model, or restart GPU feature discovery on the node")})
		}
	}
	return counts, merge("GPU model "+answered+" on every GPU node", all)
}

// judgeModel holds what the driver of one node says against the answer; nil if it agrees.
func judgeModel(t *trial, answered string) *finding.Finding {
	for _, device := range t.result.Devices {
		switch {
		case !sameModel(device.Name, answered):
			return finding.Failed("", fmt.Sprintf("the driver says %q, gpu.model says %q", device.Name, answered),
				"other GPUs are built in than answered", "correct gpu.model")
		case t.node.product != "" && !sameModel(device.Name, t.node.product):
			return finding.Failed("", fmt.Sprintf("the driver says %q, label %s says %q", device.Name, productLabel, t.node.product),
				"the label was set by hand or is out of date", "restart GPU feature discovery on the node")
		}
	}
	return nil
}

// judgeCount holds the GPUs of one node against the answer; nil if all are there and healthy.
func judgeCount(n node, resource string, answered int) *finding.Finding {
	switch {
	case !n.advertised:
		return finding.NotDecided("", "it does not have "+resource, "the device plugin does not run there", "see item 1.2.3")
	case n.capacity > 0 && n.allocatable == 0:
		return finding.Failed("", fmt.Sprintf("capacity %d, allocatable 0", n.capacity),
			"the device plugin died, or calls all GPUs of the node unhealthy", "see the device plugin's pod on the node, and its log")
	case n.allocatable < n.capacity:
		return finding.Failed("", fmt.Sprintf("capacity %d, allocatable %d: %d unhealthy", n.capacity, n.allocatable, n.capacity-n.allocatable),
			"the device plugin calls a GPU unhealthy: the driver reported an Xid error for it",
			"see the device plugin's log and the Xid messages in the node's kernel log; reset the GPU or have it exchanged")
	case n.replicas > 1 && n.allocatable == int64(answered)*int64(n.replicas):
		return finding.Failed("", fmt.Sprintf("%d allocatable, gpu.perNode says %d: each of the %d GPUs is shared by %d pods (label %s)", n.allocatable, answered, answered, n.replicas, replicasLabel),
			"gpu.perNode is what pods can get of a node, and not how many cards are built in",
			fmt.Sprintf("answer gpu.perNode: %d, if GPUs are to be shared; else have time slicing switched off in the device plugin's configuration", n.allocatable))
	case n.allocatable != int64(answered):
		return finding.Failed("", fmt.Sprintf("%d allocatable, gpu.perNode says %d", n.allocatable, answered),
			"the node has another number of GPUs, one fell off the bus, or time slicing or MIG was changed",
			"correct gpu.perNode (how many of "+resource+" pods can get of a node, instances and shares counted), or see nvidia-smi -L on the node")
	case !n.ready:
		return finding.NotDecided("", fmt.Sprintf("%d allocatable, but the node is NotReady", n.allocatable), "its kubelet does not report any more", "bring the node back, then run it again")
	}
	return nil
}

// judgeAdvertised says that a node with GPUs has none to give; nil if it has.
func judgeAdvertised(n node, resource string) *finding.Finding {
	switch {
	case n.obstacle() != "":
		return nil // told apart
	case n.capacity == 0 && len(n.others) > 0:
		return finding.Failed("", fmt.Sprintf("it advertises %s, and no %s", strings.Join(n.others, ", "), resource),
			"the node's MIG or time-slicing configuration is another one", "have the nodes configured alike, or correct gpu.resourceName")
	case !n.advertised:
		return finding.Failed("", "it has a GPU by its labels, and does not advertise "+resource,
			"the device plugin does not run there, or the driver is not installed", "see the device plugin's pod on the node (kubectl get pods -A -o wide), and its log")
	case n.allocatable == 0:
		return finding.Failed("", fmt.Sprintf("it advertises %s, but none of %d is allocatable", resource, n.capacity),
			"the device plugin died after it had registered, or calls all GPUs unhealthy: no pod gets one there",
			"see the device plugin's pod on the node, and its log; restart it")
	}
	return nil
}

// judgeSelector holds the nodes that carry the labels against those that have GPUs; nil if they
// are the same.
func judgeSelector(f *fleet, selector map[string]string) *finding.Finding {
	var parts []string
	without := f.names(func(n node) bool { return len(n.unlabelled) > 0 })
	if len(without) > 0 {
		missing := map[string]bool{}
		for _, n := range f.nodes {
			for _, label := range n.unlabelled {
				missing[label] = true
			}
		}
		parts = append(parts, onNodes(without)+" with GPUs without "+strings.Join(sorted(missing), ", "))
	}
	if f.strayCount > 0 {
		parts = append(parts, namesOf(f.strays, f.strayCount)+" without a GPU for notebooks carrying them")
	}
	if len(selector) == 0 && len(f.nodes) < f.all {
		parts = append(parts, "no label answered, which selects all nodes")
	}
	if len(parts) == 0 {
		return nil
	}
	var labels []string
	for key, value := range selector {
		labels = append(labels, key+"="+value)
	}
	slices.Sort(labels)
	return finding.Failed("gpu.nodeSelector ("+strings.Join(labels, ", ")+") selects exactly the nodes with GPUs", strings.Join(parts, "; "),
		"labels were set by hand, or feature discovery has not run there: notebooks then wait for ever, or take nodes without a GPU",
		"correct the labels (kubectl label node NAME KEY=VALUE, KEY-), or gpu.nodeSelector")
}

// judgeTaints finds taints of GPU nodes that are not answered; nil if there are none.
func judgeTaints(f *fleet) *finding.Finding {
	var all []told
	for _, n := range f.nodes {
		if len(n.blocking) > 0 {
			all = append(all, told{n.name, finding.Failed("", "taint "+strings.Join(n.blocking, ", ")+" is not tolerated",
				"the node was tainted since the answer was given: no notebook is scheduled there", "add the taint to gpu.taints (and to the notebooks' tolerations), or have it removed")})
		}
	}
	return merge("pods that tolerate gpu.taints are scheduled on every GPU node", all)
}

// devicesOn are the devices that the driver named on a node, none where the job did not run.
func (s *section) devicesOn(node string) []probe.GPUDevice {
	for _, t := range s.trials() {
		if t.node.name == node && t.outcome == measured && reads(t.result) {
			return t.result.Devices
		}
	}
	return nil
}

// modelOn is the model that the driver named on a node, "" where the job did not run.
func (s *section) modelOn(node string) string {
	if devices := s.devicesOn(node); len(devices) > 0 {
		return devices[0].Name
	}
	return ""
}

func onlyFailed(all []told) []told {
	return slices.DeleteFunc(slices.Clone(all), func(t told) bool { return t.finding.Undecided })
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
