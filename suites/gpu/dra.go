package gpu

import (
	"context"
	"regexp"
	"slices"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"
	"k8s.io/utils/ptr"
)

// published is how many devices ResourceSlices say that a node has.
type published struct {
	all, healthy int
	product      string
}

// What a DeviceClass of NVIDIA's driver selects by, in CEL: device.driver == 'gpu.nvidia.com'
// && device.attributes['gpu.nvidia.com'].type == 'gpu'
// (github.com/NVIDIA/k8s-dra-driver-gpu, deployments/helm).
var (
	driverTerm = regexp.MustCompile(`device\.driver\s*==\s*['"]([^'"]+)['"]`)
	typeTerm   = regexp.MustCompile(`\.type\s*==\s*['"]([^'"]+)['"]`)
)

// devicesOf counts, by node, the devices that a claim of the class can get. A class that
// selects by other terms than driver and type gets more counted than it can give.
func devicesOf(ctx context.Context, client kubernetes.Interface, className string) (map[string]published, error) {
	class, err := client.ResourceV1().DeviceClasses().Get(ctx, className, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	driver, kind := className, ""
	for _, selector := range class.Spec.Selectors {
		if selector.CEL == nil {
			continue
		}
		if match := driverTerm.FindStringSubmatch(selector.CEL.Expression); match != nil {
			driver = match[1]
		}
		if match := typeTerm.FindStringSubmatch(selector.CEL.Expression); match != nil {
			kind = match[1]
		}
	}
	byNode := map[string]published{}
	generations := map[string]int64{}
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.ResourceV1().ResourceSlices().List(ctx, options)
	})
	list.PageSize, list.PageBufferSize = pageSize, 1
	selected := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(resourcev1.ResourceSliceSelectorDriver, driver).String()}
	return byNode, list.EachListItem(ctx, selected, func(object runtime.Object) error {
		count(object.(*resourcev1.ResourceSlice), kind, byNode, generations)
		return nil
	})
}

// count adds a slice's devices of the kind to its node; a slice of an older generation than
// another one of its pool is on its way out.
func count(slice *resourcev1.ResourceSlice, kind string, byNode map[string]published, generations map[string]int64) {
	node, pool := ptr.Deref(slice.Spec.NodeName, ""), slice.Spec.Pool
	if node == "" || pool.Generation < generations[pool.Name] {
		return
	}
	if pool.Generation > generations[pool.Name] {
		generations[pool.Name] = pool.Generation
		delete(byNode, node)
	}
	p := byNode[node]
	for _, device := range slice.Spec.Devices {
		if kind != "" && text(device, "type") != kind {
			continue
		}
		p.all++
		if !slices.ContainsFunc(device.Taints, func(t resourcev1.DeviceTaint) bool { return t.Effect != resourcev1.DeviceTaintEffectNone }) {
			p.healthy++
		}
		if p.product == "" {
			p.product = text(device, "productName")
		}
	}
	if p.all > 0 { // else it has only devices of other kinds
		byNode[node] = p
	}
}

func text(device resourcev1.Device, attribute resourcev1.QualifiedName) string {
	return ptr.Deref(device.Attributes[attribute].StringValue, "")
}
