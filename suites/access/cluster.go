package access

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

const (
	// oldest is what the JupyterHub chart asks for: kubeVersion in Chart.yaml of
	// zero-to-jupyterhub 4.4.0.
	oldest = "1.32.0"
	// skew is how many minor versions a kubelet may be behind the API server:
	// https://kubernetes.io/releases/version-skew-policy/#kubelet
	skew = 3
	// pageSize of lists, so that memory does not grow with the cluster.
	pageSize = 500
	// most names in one message.
	most = 10
)

var _ = check.Subsection("1.1", func() {
	check.Item("1.1.2", func(ctx context.Context, a answers.Cluster) {
		target := check.Cluster()
		check.Step("ask for the server's version")
		info, err := target.Client.Discovery().ServerVersion()
		check.NoError(err, "ask for the server's version")
		check.Evidence("server version", info.GitVersion)
		server, err := version.ParseGeneric(info.GitVersion)
		check.NoError(err, "understand the server's version")
		if !matches(a.Version, server) {
			check.Fail("Kubernetes "+a.Version, "Kubernetes "+info.GitVersion,
				"the cluster was upgraded since the answer was given, or this is another cluster", "correct cluster.version, or the kubeconfig")
		}
		if server.LessThan(version.MustParseGeneric(oldest)) {
			check.Fail("Kubernetes "+oldest+" or newer, which JupyterHub's chart needs", "Kubernetes "+info.GitVersion, "the cluster is too old", "upgrade the cluster")
		}
		kubelets, wrong := map[string]int{}, []string{}
		check.NoError(eachNode(ctx, target.Client, func(node *corev1.Node) {
			found := node.Status.NodeInfo.KubeletVersion
			kubelets[found]++
			if kubelet, err := version.ParseGeneric(found); err != nil || !supported(server, kubelet) {
				wrong = append(wrong, node.Name+" ("+found+")")
			}
		}), "list the nodes")
		check.Evidence("kubelets", kubelets)
		if len(wrong) > 0 {
			check.Fail(fmt.Sprintf("every kubelet at most %d minor versions older than the API server, and none newer", skew), names(wrong),
				"an upgrade stopped half-way", "bring these nodes to a supported version")
		}
	})

	check.Item("1.1.3", func(ctx context.Context, a answers.Cluster) {
		target := check.Cluster()
		var count census
		gpu := check.Answers().GPU
		check.Step("list the nodes")
		check.NoError(eachNode(ctx, target.Client, func(node *corev1.Node) { count.add(node, gpu) }), "list the nodes")
		check.Evidence("usable CPU nodes", count.cpu)
		check.Evidence("usable GPU nodes", count.gpu)
		if count.cpu != *a.CPUNodes || count.gpu != *a.GPUNodes {
			check.Fail(fmt.Sprintf("%d CPU nodes and %d GPU nodes that are Ready and schedulable", *a.CPUNodes, *a.GPUNodes),
				fmt.Sprintf("%d CPU nodes and %d GPU nodes%s", count.cpu, count.gpu, count.unusable()),
				"nodes are down or cordoned, GPU nodes do not advertise their GPUs, or the answer is out of date",
				"bring the nodes back (kubectl describe node NAME, kubectl uncordon NAME), or correct cluster.cpuNodes and cluster.gpuNodes")
		}
		if bad := count.unusable(); bad != "" {
			check.Warn("there are enough nodes, but some cannot be used"+bad, "", "look at them before the installation")
		}
	})

	check.Item("1.1.4", func(ctx context.Context, a answers.Cluster) {
		target := check.Cluster()
		name := target.Namespace
		check.Step("get namespace %s", name)
		namespace, err := target.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		check.NoError(err, "find namespace "+name)
		if namespace.DeletionTimestamp != nil || namespace.Status.Phase != corev1.NamespaceActive {
			check.Fail("namespace "+name+" is Active", "it is "+string(namespace.Status.Phase)+remaining(namespace),
				"it is being deleted, and finalizers hold what is left in it", "let the deletion end, then create the namespace again")
		}
		check.Evidence("created", namespace.CreationTimestamp.UTC().Format("2006-01-02"))
		check.Step("get the default service account")
		_, err = target.Client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		check.NoError(err, "find the service account default in namespace "+name)
	})
})

// matches tells whether the confirmed version is the server's, as precisely as it was
// given: "1.33" matches 1.33.4.
func matches(confirmed string, server *version.Version) bool {
	confirmed = strings.TrimPrefix(strings.TrimSpace(confirmed), "v")
	full := fmt.Sprintf("%d.%d.%d", server.Major(), server.Minor(), server.Patch())
	return full == confirmed || strings.HasPrefix(full, confirmed+".")
}

func supported(server, kubelet *version.Version) bool {
	behind := int(server.Minor()) - int(kubelet.Minor())
	return server.Major() == kubelet.Major() && behind >= 0 && behind <= skew
}

// eachNode visits all nodes, a page at a time.
func eachNode(ctx context.Context, client kubernetes.Interface, visit func(*corev1.Node)) error {
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().Nodes().List(ctx, options)
	})
	list.PageSize = pageSize
	return list.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		visit(object.(*corev1.Node))
		return nil
	})
}

// census counts nodes by what they are good for.
type census struct {
	cpu, gpu           int
	notReady, cordoned []string
}

func (c *census) add(node *corev1.Node, gpu answers.GPU) {
	if controlPlaneOnly(node) {
		return
	}
	switch {
	case !ready(node):
		c.notReady = append(c.notReady, node.Name)
	case node.Spec.Unschedulable:
		c.cordoned = append(c.cordoned, node.Name)
	case hasGPU(node, gpu):
		c.gpu++
	default:
		c.cpu++
	}
}

// unusable names the nodes that were not counted, "" if there are none.
func (c *census) unusable() string {
	var parts []string
	if len(c.notReady) > 0 {
		parts = append(parts, "NotReady: "+names(c.notReady))
	}
	if len(c.cordoned) > 0 {
		parts = append(parts, "cordoned: "+names(c.cordoned))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

func ready(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// controlPlaneOnly: a node that keeps users' pods away is none of those counted.
func controlPlaneOnly(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == "node-role.kubernetes.io/control-plane" && taint.Effect != corev1.TaintEffectPreferNoSchedule {
			return true
		}
	}
	return false
}

// hasGPU goes by what the node has, not by what is free or healthy now: section 1.2 is
// about that.
func hasGPU(node *corev1.Node, gpu answers.GPU) bool {
	quantity, there := node.Status.Capacity[corev1.ResourceName(gpu.Resource())]
	return there && !quantity.IsZero()
}

// remaining quotes why a namespace is still there.
func remaining(namespace *corev1.Namespace) string {
	var out []string
	for _, condition := range namespace.Status.Conditions {
		if condition.Status == corev1.ConditionTrue {
			out = append(out, shorten(condition.Message))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, "; ")
}

// longest is how much of a condition's message is quoted: one that names every object left
// in a namespace fills pages.
const longest = 400

func shorten(message string) string {
	if len(message) <= longest {
		return message
	}
	return strings.ToValidUTF8(message[:longest], "") + " …"
}

func names(all []string) string {
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
