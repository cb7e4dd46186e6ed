package network

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// hubPort is the hub's in JupyterHub's chart, and hubPortName what its policies call it.
	hubPort     = 8081
	hubPortName = "http"
	// sourceTime is how long a source tries, and newcomerTime for how long of it a new pod may be
	// let through or not because the network does not know it yet.
	sourceTime   = 8 * time.Second
	newcomerTime = 4 * time.Second
	// sourceEnough is how often in a row an allowed source must reach the hub, once it is no new
	// pod any more.
	sourceEnough = 3
)

// source is a pod that may or may not reach the hub, and what it saw.
type source struct {
	labels  map[string]string
	port    int
	allowed bool
	story   *probe.Reached
	err     error
}

func sourcesOf(a answers.Inward) (all []*source) {
	for _, list := range []struct {
		sources []answers.Source
		allowed bool
	}{{a.Forbidden, false}, {a.Allowed, true}} {
		for _, answered := range list.sources {
			s := &source{labels: answered.Labels, port: hubPort, allowed: list.allowed}
			if answered.Port != nil {
				s.port = *answered.Port
			}
			all = append(all, s)
		}
	}
	return all
}

// doubles returns the source that the client of 2.3.1 stands for, nil for none. Only where
// policies are required does that client watch them at work, for about as long as a source tries.
func doubles(sources []*source, isolated, required bool) *source {
	if isolated && required && len(sources) > 0 && !sources[0].allowed {
		return sources[0]
	}
	return nil
}

// portsOf are the ports that sources want to reach. The hub's own has the name that it has in
// the chart, or else the first one.
func portsOf(sources []*source) (ports []corev1.ContainerPort) {
	var numbers []int
	for _, s := range sources {
		numbers = append(numbers, s.port)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	named := numbers[0]
	if slices.Contains(numbers, hubPort) {
		named = hubPort
	}
	for _, number := range numbers {
		port := corev1.ContainerPort{ContainerPort: int32(number)}
		if number == named {
			port.Name = hubPortName
		}
		ports = append(ports, port)
	}
	return ports
}

// target runs a pod with the hub's labels that answers on the ports. It takes no traffic of the
// hub's Service: see throwaway.PodOptions.
func (c chain) target(ctx context.Context, hub map[string]string, ports []corev1.ContainerPort) member {
	pod, err := c.pod(ctx, roleTarget, hub, ports, probe.ReachOptions{})
	if err == nil {
		err = within(ctx, startTime, pod.Ready)
	}
	return member{pod, err}
}

// visit runs a source's pod until it has seen enough.
func (c chain) visit(ctx context.Context, s *source, target *throwaway.Pod) (*probe.Reached, error) {
	options := probe.ReachOptions{Targets: []string{portOf(target, s.port)}, For: sourceTime}
	if s.allowed {
		options.For, options.Enough = changeTime, sourceEnough
	}
	pod, err := c.pod(ctx, roleSource, s.labels, nil, options)
	if err != nil {
		return nil, err
	}
	result, err := heard(ctx, pod)
	if err != nil || len(result.Targets) == 0 {
		return nil, err
	}
	return &result.Targets[0], nil
}

// portOf is a pod's port as a target of the probe.
func portOf(pod *throwaway.Pod, port int) string {
	return probe.ReachTCP + net.JoinHostPort(pod.IP(), strconv.Itoa(port))
}

// selecting names the policies of the namespace that select the hub; nil where they cannot be
// listed.
func selecting(ctx context.Context, kit *throwaway.Kit, hub map[string]string) []string {
	found, err := kit.Client().Kube.NetworkingV1().NetworkPolicies(kit.Namespace()).List(ctx, metav1.ListOptions{
		LabelSelector: throwaway.LabelManagedBy + "!=" + throwaway.ManagedBy})
	if err != nil {
		return nil
	}
	names := []string{}
	for _, policy := range found.Items {
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		if err == nil && selector.Matches(labels.Set(hub)) && slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			names = append(names, policy.Name)
		}
	}
	return names
}

// judgeNoSources is the verdict where no source is named. Only where policies are not required
// is there nothing to see: else somebody must be kept from the hub.
func judgeNoSources(required *bool) error {
	if required != nil && !*required {
		return nil
	}
	return finding.NotDecided("who must not reach the hub is kept from it", "networkPolicies.ingress names neither an allowed nor a forbidden source",
		"no connection to the hub was tried, so that nothing is known of who reaches it",
		"name the pods that must and must not reach the hub, by their labels; any label that no pod of JupyterHub has will do for one that must not")
}

// judgeSources returns what is wrong with who reaches the hub: a way that is open and must not
// be first.
func judgeSources(sources []*source, hub map[string]string, selecting []string) error {
	var undecided error
	for _, s := range sources {
		f := s.judge(hub, selecting)
		if f == nil {
			continue
		}
		if found := finding.As(f); found == nil || !found.Undecided {
			return f
		}
		undecided = firstError(undecided, f)
	}
	return undecided
}

func (s *source) judge(hub map[string]string, selecting []string) error {
	expected := fmt.Sprintf("a pod with the labels %s reaches port %d of the hub", sortedPairs(s.labels), s.port)
	if !s.allowed {
		expected = fmt.Sprintf("a pod with the labels %s does not reach port %d of the hub", sortedPairs(s.labels), s.port)
	}
	if s.err != nil {
		return hindered(s.err)
	}
	if s.story == nil || s.story.Last() == nil {
		return finding.NotDecided(expected, "no connection was tried", "the pod was stopped before", "run it again")
	}
	open := s.open()
	if last := s.story.Last().To; open == nil && last <= newcomerTime.Milliseconds() {
		return finding.NotDecided(expected, fmt.Sprintf("the pod tried for %d ms only", last),
			fmt.Sprintf("it was stopped early, such as by an eviction: for %v a new pod may be let through or kept back because the network does not know it yet", newcomerTime),
			"run it again")
	}
	if s.allowed {
		return s.judgeAllowed(expected, hub, selecting)
	}
	return s.judgeForbidden(expected, open, hub, selecting)
}

func (s *source) judgeAllowed(expected string, hub map[string]string, selecting []string) error {
	last := s.story.Last()
	if last.OK() {
		return nil
	}
	why, do := fmt.Sprintf("no rule of the policies that select the hub (%s) allows it, or a policy that selects the source closes its egress", listed(selecting)),
		"add a rule for these labels and this port to one of them, or correct networkPolicies.ingress.allowed"
	if selecting != nil && len(selecting) == 0 {
		why = "no NetworkPolicy of the namespace selects the hub for ingress, so that another policy closes the source's egress, or the network plugin has policies of its own"
		do = "look at the policies that select the source, and at the network plugin's own"
	}
	if last.Trouble.Kind == probe.Refused || last.Trouble.Kind == probe.Reset {
		why = "what forbids it says so instead of dropping packets: " + why
	}
	return finding.Failed(expected, "it does not: "+last.Trouble.Error(), why, do)
}

func (s *source) judgeForbidden(expected string, open *probe.Phase, hub map[string]string, selecting []string) error {
	if open == nil {
		return nil
	}
	why, do := fmt.Sprintf("a rule of the policies that select the hub (%s) allows it, or they are not enforced: see item 2.3.1", listed(selecting)),
		"narrow the rule: only pods with the label hub.jupyter.org/network-access-hub: \"true\" need the hub"
	if selecting != nil && len(selecting) == 0 {
		why = "no NetworkPolicy of the namespace selects pods with the labels " + sortedPairs(hub)
		do = "create the policy, or answer networkPolicies.hubLabels if the hub has other labels: what no policy selects is open to all"
	}
	return finding.Failed(expected, fmt.Sprintf("it is reached, %d times", open.Tries), why, do)
}

// listed renders the names of policies.
func listed(names []string) string {
	if names == nil {
		return "the runner may not list them"
	}
	return strings.Join(names, ", ")
}

// open is the last time during which a source reached the hub when the network had had time to
// learn of it.
func (s *source) open() *probe.Phase {
	for _, phase := range slices.Backward(s.story.Phases) {
		if phase.OK() && phase.To > newcomerTime.Milliseconds() {
			return &phase
		}
	}
	return nil
}

// title and words describe a source in the evidence.
func (s *source) title() string {
	kind := "forbidden"
	if s.allowed {
		kind = "allowed"
	}
	return fmt.Sprintf("%s: %s to port %d", kind, sortedPairs(s.labels), s.port)
}

func (s *source) words() string {
	last := s.story.Last()
	switch {
	case last == nil:
		return "not tried"
	case last.OK():
		return "reached"
	}
	return last.Trouble.Kind
}

// sortedPairs renders labels, always in the same order.
func sortedPairs(set map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(set)) {
		pairs = append(pairs, key+"="+set[key])
	}
	if len(pairs) == 0 {
		return "(none)"
	}
	return strings.Join(pairs, ",")
}
