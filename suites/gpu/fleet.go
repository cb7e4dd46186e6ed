package gpu

import (
	"context"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"
)

// What NVIDIA's GPU feature discovery, device plugin and operator write on nodes
// (github.com/NVIDIA/k8s-device-plugin, docs/gpu-feature-discovery; gpu-operator,
// controllers/state_manager.go), and node feature discovery before them.
const (
	productLabel  = "nvidia.com/gpu.product"
	replicasLabel = "nvidia.com/gpu.replicas"
	sharingLabel  = "nvidia.com/gpu.sharing-strategy"
	strategyLabel = "nvidia.com/mig.strategy"
	deployPrefix  = "nvidia.com/gpu.deploy."
	workloadLabel = "nvidia.com/gpu.workload.config"
	gpuPrefix     = "nvidia.com/gpu"
	migPrefix     = "nvidia.com/mig-"
)

// pciLabels say that node feature discovery saw a card of NVIDIA (PCI vendor 10de).
var pciLabels = []string{
	"feature.node.kubernetes.io/pci-10de.present",
	"feature.node.kubernetes.io/pci-0302_10de.present",
	"feature.node.kubernetes.io/pci-0300_10de.present",
}

const controlPlaneTaint = "node-role.kubernetes.io/control-plane"

// simulatedMark ends the key of the annotation with which a test cluster owns up to what only
// stands for a real thing there.
const simulatedMark = "/simulated"

const (
	// pageSize of lists: with one page in memory at a time, it does not grow with the cluster.
	pageSize = 250
	// mostStrays of the nodes that carry the labels and have no GPU are remembered by name.
	mostStrays = 20
)

// node is what the checks need to know of a node with GPUs. It is all that is kept of it.
type node struct {
	name string
	// advertised tells whether the kubelet knows the resource, even if none is left of it.
	advertised            bool
	capacity, allocatable int64
	// others are further resources of which the node has some and that stand for NVIDIA's GPUs.
	others []string
	// product, strategy, sharing and replicas are what the labels say, empty without them.
	product, strategy, sharing string
	replicas                   int
	ready, cordoned            bool
	// passing are taints that Kubernetes itself sets while the node is not fit, and blocking
	// those of people that the answers do not tolerate.
	passing, blocking []string
	// unlabelled are the answered labels that the node does not have.
	unlabelled []string
	// unselected tells whether runner.nodeSelector keeps throwaway pods away.
	unselected bool
	simulated  string
}

// usable tells whether a pod that asks for a GPU could be started there.
func (n node) usable() bool {
	return n.obstacle() == "" && n.allocatable > 0 && len(n.blocking) == 0
}

// obstacle says what keeps all pods from the node for now, "" if nothing does.
func (n node) obstacle() string {
	switch {
	case !n.ready:
		return "NotReady"
	case n.cordoned:
		return "cordoned"
	case len(n.passing) > 0:
		return "tainted " + strings.Join(n.passing, ", ")
	case n.unselected:
		return unselected
	}
	return ""
}

// unselected is the obstacle that the answers are.
const unselected = "not selected by runner.nodeSelector"

// fleet is the cluster's nodes as section 1.2 sees them.
type fleet struct {
	// all counts the nodes that were looked at.
	all   int
	nodes []node
	// strays carry the answered labels and have no GPU; only the first are remembered.
	strays     []string
	strayCount int
	// leftOut have GPUs that are for no notebook, with the reason; only the first are remembered.
	leftOut []string
	// operated tells whether the GPU operator's own labels are on a node.
	operated bool
	// claims tells whether devices are published as ResourceSlices and taken by claims.
	claims bool
}

// terms are what nodes are held against.
type terms struct {
	resource    string
	selector    map[string]string
	runner      map[string]string
	tolerations []corev1.Toleration
	// published are the devices of each node by ResourceSlices.
	published map[string]published
}

// survey lists the nodes, a page at a time.
func survey(ctx context.Context, client kubernetes.Interface, t terms) (*fleet, error) {
	f := &fleet{}
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().Nodes().List(ctx, options)
	})
	list.PageSize, list.PageBufferSize = pageSize, 1
	err := list.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		f.add(object.(*corev1.Node), t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.settle(t)
	return f, nil
}

// add takes from a node what is needed.
func (f *fleet) add(from *corev1.Node, t terms) {
	f.all++
	n := node{name: from.Name, ready: ready(from), cordoned: from.Spec.Unschedulable}
	var capacity, allocatable = from.Status.Capacity[corev1.ResourceName(t.resource)], from.Status.Allocatable[corev1.ResourceName(t.resource)]
	_, n.advertised = from.Status.Capacity[corev1.ResourceName(t.resource)]
	n.capacity, n.allocatable = capacity.Value(), allocatable.Value()
	nvidia := vendorOf(t.resource) == ""
	hasGPU := n.advertised || nvidia && hasCard(from)
	for name, amount := range from.Status.Capacity {
		if other := string(name); nvidia && other != t.resource && (strings.HasPrefix(other, gpuPrefix) || strings.HasPrefix(other, migPrefix)) {
			hasGPU = true
			if !amount.IsZero() { // else what the node once had, or has under another strategy
				n.others = append(n.others, other)
			}
		}
	}
	slices.Sort(n.others)
	n.passing, n.blocking = untolerated(from.Spec.Taints, t.tolerations)
	for key := range from.Labels {
		f.operated = f.operated || strings.HasPrefix(key, deployPrefix)
	}
	if _, slice := t.published[from.Name]; !hasGPU && !slice {
		if selects(t.selector, from.Labels) {
			f.stray(from.Name)
		}
		return
	}
	if why := notForNotebooks(from, n.blocking); why != "" {
		text := from.Name + " (" + why + ")"
		if selects(t.selector, from.Labels) && len(n.blocking) == 0 {
			f.stray(text)
		}
		if len(f.leftOut) < mostStrays {
			f.leftOut = append(f.leftOut, text)
		}
		return
	}
	n.product, n.strategy, n.sharing = from.Labels[productLabel], from.Labels[strategyLabel], from.Labels[sharingLabel]
	n.replicas, _ = strconv.Atoi(from.Labels[replicasLabel])
	n.unselected = len(t.runner) > 0 && !labels.SelectorFromSet(t.runner).Matches(labels.Set(from.Labels))
	for key, value := range t.selector {
		if from.Labels[key] != value {
			n.unlabelled = append(n.unlabelled, key+"="+value)
		}
	}
	slices.Sort(n.unlabelled)
	for key, text := range from.Annotations {
		if strings.HasSuffix(key, simulatedMark) {
			n.simulated = text
		}
	}
	f.nodes = append(f.nodes, n)
}

// settle decides between the two ways in which devices are handed out: claims count only where
// no node has the resource.
func (f *fleet) settle(t terms) {
	if len(t.published) == 0 || slices.ContainsFunc(f.nodes, func(n node) bool { return n.advertised }) {
		return
	}
	f.claims = true
	for i := range f.nodes {
		n := &f.nodes[i]
		devices, has := t.published[n.name]
		n.advertised, n.capacity, n.allocatable = has, int64(devices.all), int64(devices.healthy)
		if n.product == "" {
			n.product = devices.product
		}
	}
}

func (f *fleet) stray(name string) {
	f.strayCount++
	if len(f.strays) < mostStrays {
		f.strays = append(f.strays, name)
	}
}

// advertises tells whether any node has the resource, or a device to claim.
func (f *fleet) advertises() bool {
	return slices.ContainsFunc(f.nodes, func(n node) bool { return n.advertised })
}

// names returns the names of the nodes for which is says so.
func (f *fleet) names(is func(node) bool) []string {
	var out []string
	for _, n := range f.nodes {
		if is(n) {
			out = append(out, n.name)
		}
	}
	return out
}

// choose returns the nodes to start pods on: all that are usable, or most of them, taken evenly
// from the list, since neighbours in it often are of one delivery.
func (f *fleet) choose(most int) []node {
	var usable []node
	for _, n := range f.nodes {
		if n.usable() {
			usable = append(usable, n)
		}
	}
	if len(usable) <= most {
		return usable
	}
	chosen := make([]node, most)
	for i := range chosen {
		chosen[i] = usable[i*len(usable)/most]
	}
	return chosen
}

func ready(n *corev1.Node) bool {
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// hasCard tells whether labels that only detection writes say that the node has a GPU.
func hasCard(n *corev1.Node) bool {
	return n.Labels[productLabel] != "" ||
		slices.ContainsFunc(pciLabels, func(key string) bool { return n.Labels[key] == "true" })
}

// notForNotebooks says why a node with GPUs has none for Linux containers of users, "" if it may:
// control planes are counted nowhere in the checklist, and the GPU operator hands whole cards to
// virtual machines where its label says so.
func notForNotebooks(n *corev1.Node, blocking []string) string {
	workload := n.Labels[workloadLabel]
	switch {
	case n.Status.NodeInfo.OperatingSystem == "windows", n.Labels[corev1.LabelOSStable] == "windows":
		return "Windows"
	case n.Labels["type"] == "virtual-kubelet": // as github.com/virtual-kubelet/virtual-kubelet sets it
		return "virtual kubelet"
	case strings.HasPrefix(workload, "vm-"):
		return workloadLabel + "=" + workload
	case slices.ContainsFunc(blocking, func(taint string) bool { return strings.HasPrefix(taint, controlPlaneTaint) }):
		return "control plane"
	}
	return ""
}

// selects tells whether a node carries all labels; none select nothing here.
func selects(selector, of map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(of))
}
