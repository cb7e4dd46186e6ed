package gpu

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const gpuName = corev1.ResourceName("nvidia.com/gpu")

// gpuNode is a node as the kubelet, the device plugin and feature discovery describe it; a
// negative number leaves the resource out.
func gpuNode(name string, capacity, allocatable int64, labels map[string]string, taints ...corev1.Taint) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.NodeSpec{Taints: taints},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{}, Allocatable: corev1.ResourceList{},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
	if capacity >= 0 {
		n.Status.Capacity[gpuName] = *resource.NewQuantity(capacity, resource.DecimalSI)
		n.Status.Allocatable[gpuName] = *resource.NewQuantity(allocatable, resource.DecimalSI)
	}
	return n
}

var (
	present  = map[string]string{"nvidia.com/gpu.present": "true"}
	standard = terms{resource: string(gpuName), selector: present}
)

// pagedNodes answers node lists page by page, as an API server does and the fake clientset
// does not. It makes the nodes as they are asked for.
func pagedNodes(total int, make func(int) corev1.Node) *fake.Clientset {
	client := fake.NewClientset()
	client.PrependReactor("list", "nodes", func(action clienttesting.Action) (bool, kruntime.Object, error) {
		options := action.(clienttesting.ListActionImpl).GetListOptions()
		start := 0
		fmt.Sscan(options.Continue, &start)
		list := &corev1.NodeList{}
		end := min(start+int(options.Limit), total)
		for i := start; i < end; i++ {
			list.Items = append(list.Items, make(i))
		}
		if end < total {
			list.Continue = fmt.Sprint(end)
		}
		return true, list, nil
	})
	return client
}

func TestSurveyOfManyNodes(t *testing.T) {
	for _, total := range []int{1000, 5000} {
		client := pagedNodes(total, func(i int) corev1.Node {
			n := gpuNode(fmt.Sprintf("gpu%04d", i), 8, 8, map[string]string{"nvidia.com/gpu.present": "true", productLabel: "NVIDIA-H100-80GB-HBM3"})
			for j := range 50 { // what makes real nodes large
				n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{strings.Repeat("x", 200) + fmt.Sprint(j)}})
			}
			return *n
		})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := survey(context.Background(), client, standard)
		if err != nil {
			t.Fatal(err)
		}
		client.ClearActions()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if f.all != total || len(f.nodes) != total {
			t.Fatalf("%d nodes, %d with GPUs, want %d", f.all, len(f.nodes), total)
		}
		if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > int64(total)*1024 {
			t.Errorf("%d bytes stay for %d nodes", kept, total)
		}
		chosen := f.choose(32)
		if len(chosen) != 32 || chosen[0].name != "gpu0000" || chosen[1].name != fmt.Sprintf("gpu%04d", total/32) || chosen[31].name != fmt.Sprintf("gpu%04d", 31*total/32) {
			t.Errorf("chose %d: %s, %s ... %s", len(chosen), chosen[0].name, chosen[1].name, chosen[31].name)
		}
	}
}

func TestChooseLeavesOutWhatCannotBeUsed(t *testing.T) {
	dedicated := corev1.Taint{Key: "dedicated", Value: "others", Effect: corev1.TaintEffectNoSchedule}
	down := gpuNode("down", 4, 4, present)
	down.Status.Conditions[0].Status = corev1.ConditionUnknown
	cordoned := gpuNode("cordoned", 4, 4, present, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	cordoned.Spec.Unschedulable = true
	f := &fleet{}
	for _, n := range []*corev1.Node{
		gpuNode("good", 4, 4, present),
		down, cordoned,
		gpuNode("tainted", 4, 4, present, dedicated),
		gpuNode("pressed", 4, 4, present, corev1.Taint{Key: "node.kubernetes.io/disk-pressure", Effect: corev1.TaintEffectNoSchedule}),
		gpuNode("soft", 4, 4, present, corev1.Taint{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule}),
		gpuNode("dead", 4, 0, present),
		gpuNode("cpu", -1, -1, nil),
	} {
		f.add(n, standard)
	}
	var names []string
	for _, n := range f.choose(10) {
		names = append(names, n.name)
	}
	if want := []string{"good", "soft"}; !slices.Equal(names, want) {
		t.Errorf("chose %v, want %v", names, want)
	}
	for i, want := range map[int]string{1: "NotReady", 2: "cordoned", 4: "disk-pressure"} {
		if got := f.nodes[i].obstacle(); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", f.nodes[i].name, got, want)
		}
	}
	if f := judgeTaints(f); f == nil || !strings.Contains(f.Found, "node tainted: taint dedicated=others:NoSchedule") {
		t.Errorf("taints: %v", f)
	}
}

func TestTaintsThatPass(t *testing.T) {
	for key, passing := range map[string]bool{
		"node.kubernetes.io/disk-pressure": true, "node.cloudprovider.kubernetes.io/shutdown": true, "ToBeDeletedByClusterAutoscaler": true,
		"karpenter.sh/disrupted": true, "node.cilium.io/agent-not-ready": true, "startup-taint.cluster-autoscaler.kubernetes.io/driver": true,
		"nvidia.com/gpu": false, "dedicated": false, "virtual-kubelet.io/provider": false,
	} {
		pass, block := untolerated([]corev1.Taint{{Key: key, Effect: corev1.TaintEffectNoSchedule}}, nil)
		if (len(pass) == 1) != passing || len(pass)+len(block) != 1 {
			t.Errorf("%s: passing %v, blocking %v", key, pass, block)
		}
	}
}

func TestTolerations(t *testing.T) {
	taint := corev1.Taint{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}
	for answer, tolerated := range map[string]bool{
		"nvidia.com/gpu:NoSchedule":         true,
		"nvidia.com/gpu=present:NoSchedule": true,
		"nvidia.com/gpu=absent:NoSchedule":  false,
		"nvidia.com/gpu:NoExecute":          false,
		"other:NoSchedule":                  false,
	} {
		if _, blocking := untolerated([]corev1.Taint{taint}, tolerationsFor([]string{answer})); (len(blocking) == 0) != tolerated {
			t.Errorf("%s: blocking %v", answer, blocking)
		}
	}
}

func TestSelectorMatchesExactlyTheGPUNodes(t *testing.T) {
	for name, c := range map[string]struct {
		nodes    []*corev1.Node
		selector map[string]string
		want     []string
	}{
		"exactly":         {[]*corev1.Node{gpuNode("gpu1", 4, 4, present), gpuNode("cpu1", -1, -1, nil)}, present, nil},
		"one without":     {[]*corev1.Node{gpuNode("gpu1", 4, 4, present), gpuNode("gpu2", 4, 4, nil)}, present, []string{"node gpu2 with GPUs without nvidia.com/gpu.present=true"}},
		"one elsewhere":   {[]*corev1.Node{gpuNode("gpu1", 4, 4, present), gpuNode("cpu1", -1, -1, present)}, present, []string{"cpu1 without a GPU"}},
		"both":            {[]*corev1.Node{gpuNode("gpu1", 4, 4, nil), gpuNode("cpu1", -1, -1, present)}, present, []string{"gpu1 with GPUs", "cpu1 without a GPU"}},
		"selects all":     {[]*corev1.Node{gpuNode("gpu1", 4, 4, nil), gpuNode("cpu1", -1, -1, nil)}, map[string]string{}, []string{"selects all nodes"}},
		"dead plugin":     {[]*corev1.Node{gpuNode("gpu1", 0, 0, present)}, present, nil},
		"card, no plugin": {[]*corev1.Node{gpuNode("gpu1", -1, -1, map[string]string{"nvidia.com/gpu.present": "true", productLabel: "Tesla-T4"})}, present, nil},
	} {
		f := &fleet{}
		for _, n := range c.nodes {
			f.add(n, terms{resource: string(gpuName), selector: c.selector})
		}
		got := judgeSelector(f, c.selector)
		if (got == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(got.Found, want) {
				t.Errorf("%s: %q lacks %q", name, got.Found, want)
			}
		}
	}
}

func TestNodesThatAreNotForNotebooks(t *testing.T) {
	windows := gpuNode("win", 4, 4, present)
	windows.Status.NodeInfo.OperatingSystem = "windows"
	virtual := gpuNode("virtual", 4, 4, map[string]string{"type": "virtual-kubelet"}, corev1.Taint{Key: "virtual-kubelet.io/provider", Effect: corev1.TaintEffectNoSchedule})
	plane := corev1.Taint{Key: controlPlaneTaint, Effect: corev1.TaintEffectNoSchedule}
	f := &fleet{}
	for _, n := range []*corev1.Node{
		gpuNode("good", 4, 4, present), windows, virtual,
		gpuNode("plane", 4, 4, present, plane),
		gpuNode("vms", -1, -1, map[string]string{workloadLabel: "vm-passthrough", pciLabels[0]: "true"}),
		gpuNode("containers", 4, 4, map[string]string{workloadLabel: "container", "nvidia.com/gpu.present": "true"}),
	} {
		f.add(n, standard)
	}
	if got := f.names(func(node) bool { return true }); !slices.Equal(got, []string{"good", "containers"}) {
		t.Errorf("GPU nodes %v", got)
	}
	if want := []string{"win (Windows)", "virtual (virtual kubelet)", "plane (control plane)", "vms (nvidia.com/gpu.workload.config=vm-passthrough)"}; !slices.Equal(f.leftOut, want) {
		t.Errorf("left out %v", f.leftOut)
	}
	if judgeTaints(f) != nil {
		t.Error("taints of nodes that are not for notebooks")
	}
	if got := judgeSelector(f, present); got == nil || got.Found != "win (Windows) without a GPU for notebooks carrying them" {
		t.Errorf("a notebook would be sent to Windows: %v", got)
	}
	f = &fleet{}
	f.add(gpuNode("plane", 4, 4, present, plane), terms{resource: string(gpuName), tolerations: tolerationsFor([]string{controlPlaneTaint + ":NoSchedule"})})
	if len(f.nodes) != 1 {
		t.Error("a control plane whose taint is answered is a GPU node")
	}
}

func TestOtherResources(t *testing.T) {
	partitioned := gpuNode("mig", 0, 0, present)
	partitioned.Status.Capacity["nvidia.com/mig-1g.10gb"] = resource.MustParse("7")
	once := gpuNode("once", 4, 4, present)
	once.Status.Capacity["nvidia.com/mig-1g.10gb"] = resource.MustParse("0")
	f := &fleet{}
	f.add(partitioned, standard)
	f.add(once, standard)
	if got := judgeAdvertised(f.nodes[0], string(gpuName)); got == nil || got.Found != "it advertises nvidia.com/mig-1g.10gb, and no nvidia.com/gpu" {
		t.Errorf("partitioned: %v", got)
	}
	if n := f.nodes[1]; len(n.others) > 0 || judgeAdvertised(n, string(gpuName)) != nil {
		t.Errorf("once partitioned: %+v", n)
	}
	amd := gpuNode("amd", -1, -1, nil)
	amd.Status.Capacity["amd.com/gpu"] = resource.MustParse("8")
	f = &fleet{}
	f.add(amd, terms{resource: "amd.com/gpu"})
	f.add(once, terms{resource: "amd.com/gpu"})
	if got := f.names(func(node) bool { return true }); !slices.Equal(got, []string{"amd"}) {
		t.Errorf("AMD's nodes: %v", got)
	}
}

func TestOtherVendorsAreNotTried(t *testing.T) {
	for name, want := range map[string]string{
		"nvidia.com/gpu": "", "nvidia.com/mig-1g.10gb": "", "gpu.nvidia.com": "", "volcano.sh/vgpu-number": "",
		"amd.com/gpu": "AMD", "gpu.amd.com": "AMD", "gpu.intel.com/i915": "Intel", "habana.ai/gaudi": "Intel",
	} {
		if got := vendorOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if f := untried("it computes", name); (f == nil) != (want == "") || f != nil && (!f.Undecided || f.Do == "") {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestManyStraysAreCounted(t *testing.T) {
	f := &fleet{}
	for i := range 3000 {
		f.add(gpuNode(fmt.Sprintf("cpu%d", i), -1, -1, present), standard)
	}
	if got := judgeSelector(f, present); !strings.Contains(got.Found, "and 2990 more") || len(f.strays) != mostStrays {
		t.Errorf("%d remembered: %v", len(f.strays), got)
	}
}

func TestCounts(t *testing.T) {
	for name, c := range map[string]struct {
		node *corev1.Node
		want string
	}{
		"as answered":    {gpuNode("a", 4, 4, nil), ""},
		"fewer":          {gpuNode("a", 2, 2, nil), "2 allocatable, gpu.perNode says 4"},
		"more":           {gpuNode("a", 8, 8, nil), "8 allocatable"},
		"one unhealthy":  {gpuNode("a", 4, 3, nil), "1 unhealthy"},
		"plugin dead":    {gpuNode("a", 4, 0, nil), "allocatable 0"},
		"sharing":        {gpuNode("a", 16, 16, map[string]string{replicasLabel: "4"}), "each of the 4 GPUs is shared by 4 pods"},
		"sharing others": {gpuNode("a", 8, 8, map[string]string{replicasLabel: "4"}), "8 allocatable, gpu.perNode says 4"},
		"other resource": {gpuNode("a", -1, -1, map[string]string{productLabel: "x"}), "does not have nvidia.com/gpu"},
	} {
		f := &fleet{}
		f.add(c.node, standard)
		got := judgeCount(f.nodes[0], string(gpuName), 4)
		if (got == nil) != (c.want == "") || got != nil && !strings.Contains(got.Found, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLabelledModels(t *testing.T) {
	nodes := []node{{name: "gpu1", product: "NVIDIA-L4"}, {name: "gpu2", product: "NVIDIA-L40S"}, {name: "gpu3"}}
	counts, f := judgeLabels(nodes, "NVIDIA L4", func(string) string { return "NVIDIA L4" })
	if f == nil || f.Found != "node gpu2: label nvidia.com/gpu.product is NVIDIA-L40S, the driver says NVIDIA L4" {
		t.Errorf("%v", f)
	}
	if counts["NVIDIA-L4"] != 1 || counts["no label nvidia.com/gpu.product"] != 1 {
		t.Errorf("counts %v", counts)
	}
}
