package discover

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What NVIDIA's GPU feature discovery writes on nodes.
const (
	gpuPresentLabel = "nvidia.com/gpu.present"
	gpuProductLabel = "nvidia.com/gpu.product"
	zoneLabel       = "topology.kubernetes.io/zone"
)

// census gathers what the nodes have in common, without keeping them.
type census struct {
	cpu, gpu  int
	zones     map[string]bool
	resources map[string]bool
	products  map[string]bool
	counts    []int
	// present tells whether all GPU nodes, and only they, carry the label.
	present, presentElsewhere int
	// taints counts the GPU nodes that have each taint.
	taints map[string]int
}

func (f *finder) nodes(ctx context.Context) error {
	c := census{zones: map[string]bool{}, resources: map[string]bool{}, products: map[string]bool{}, taints: map[string]int{}}
	err := pages(func(options metav1.ListOptions) (string, error) {
		list, err := f.client.CoreV1().Nodes().List(ctx, options)
		if err != nil {
			return "", err
		}
		for i := range list.Items {
			c.add(&list.Items[i])
		}
		return list.Continue, nil
	})
	if err != nil {
		return err
	}
	f.found.CPUNodes, f.found.GPUNodes, f.found.Zones = &c.cpu, &c.gpu, len(c.zones)
	f.gpu(c)
	return nil
}

func (c *census) add(node *corev1.Node) {
	for _, taint := range node.Spec.Taints {
		if taint.Key == "node-role.kubernetes.io/control-plane" && taint.Effect != corev1.TaintEffectPreferNoSchedule {
			return
		}
	}
	if zone := node.Labels[zoneLabel]; zone != "" {
		c.zones[zone] = true
	}
	name, count := gpusOf(node)
	if name == "" {
		c.cpu++
		if node.Labels[gpuPresentLabel] == "true" {
			c.presentElsewhere++
		}
		return
	}
	c.gpu++
	c.resources[name] = true
	if !slices.Contains(c.counts, count) {
		c.counts = append(c.counts, count)
	}
	if product := node.Labels[gpuProductLabel]; product != "" {
		c.products[product] = true
	}
	if node.Labels[gpuPresentLabel] == "true" {
		c.present++
	}
	for _, taint := range node.Spec.Taints {
		if !strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
			c.taints[taint.ToString()]++
		}
	}
}

// gpusOf returns the resource under which a node offers GPUs, and how many; "" if it has none.
func gpusOf(node *corev1.Node) (string, int) {
	for _, name := range slices.Sorted(maps.Keys(node.Status.Capacity)) {
		text := string(name)
		if strings.HasSuffix(text, "/gpu") || strings.HasPrefix(text, "nvidia.com/gpu") || strings.HasPrefix(text, "nvidia.com/mig-") {
			if quantity := node.Status.Capacity[name]; !quantity.IsZero() {
				return text, int(quantity.Value())
			}
		}
	}
	return "", 0
}

// gpu answers for section 1.2 what all GPU nodes have in common.
func (f *finder) gpu(c census) {
	if c.gpu == 0 {
		return
	}
	found := &f.found.GPU
	if found.ResourceName = only(c.resources); found.ResourceName == "" {
		f.warn("the GPU resource", "nodes offer different ones: "+strings.Join(slices.Sorted(maps.Keys(c.resources)), ", "))
	}
	switch found.Model = only(c.products); {
	case found.Model != "":
	case len(c.products) > 1:
		f.warn("the GPU model", "there are several: "+strings.Join(slices.Sorted(maps.Keys(c.products)), ", "))
	default:
		f.warn("the GPU model", "no node carries the label "+gpuProductLabel)
	}
	if len(c.counts) == 1 {
		found.PerNode = &c.counts[0]
	} else {
		f.warn("the GPUs of each node", "nodes have "+describeCounts(c.counts))
	}
	if c.present == c.gpu && c.presentElsewhere == 0 {
		found.NodeSelector = map[string]string{gpuPresentLabel: "true"}
	}
	for _, taint := range slices.Sorted(maps.Keys(c.taints)) {
		if c.taints[taint] == c.gpu {
			found.Taints = append(found.Taints, taint)
		}
	}
}

// only returns the single word of a set, "" if there is none or several.
func only(set map[string]bool) string {
	if len(set) != 1 {
		return ""
	}
	for word := range set {
		return word
	}
	return ""
}
