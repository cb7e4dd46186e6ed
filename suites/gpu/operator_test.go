package gpu

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
)

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		answered, found string
		same            bool
	}{
		{"v25.3.0", "25.3.0", true}, {"25.3.0", "v25.3.0", true}, {"25.3", "v25.3.4", true}, {"25.3", "25.30.0", false},
		{"v24.9.2", "25.3.0", false}, {"25.3.0-rc1", "25.3.0", false}, {"latest", "25.3.0", false},
	} {
		if got := sameVersion(c.answered, c.found); got != c.same {
			t.Errorf("%s, %s: %v", c.answered, c.found, got)
		}
	}
	for text, want := range map[string]string{
		"gpu-operator-v25.3.0": "25.3.0", "gpu-operator-certified.v24.9.2": "24.9.2", "v23.9": "23.9", "25.3.0": "25.3.0", "gpu-operator": "", "": "",
	} {
		if got := versionOf(text); got != want {
			t.Errorf("%q has %q, want %q", text, got, want)
		}
	}
}

func policy(labels map[string]string, state string) *unstructured.Unstructured {
	p := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "status": map[string]any{"state": state}}}
	p.SetName("cluster-policy")
	p.SetLabels(labels)
	return p
}

func TestOperator(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "",
		errors.New(`User "runner" cannot list resource "deployments" in API group "apps" at the cluster scope`))
	notServed := apierrors.NewGenericServerResponse(404, "list", schema.GroupResource{Group: "nvidia.com", Resource: "clusterpolicies"}, "", "", 0, true)
	deployment := func(labels map[string]string, image string) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "gpu-operator", Name: "gpu-operator", Labels: mergeLabels(labels, "app", "gpu-operator")},
			Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: image}}}}}}
	}
	for name, c := range map[string]struct {
		policy      *unstructured.Unstructured
		deployment  *appsv1.Deployment
		policies    error
		deployments error
		labelled    bool
		answered    string
		// want is "", "failed" or "undecided", and words what it must say.
		want, words string
	}{
		"as answered":              {policy: policy(map[string]string{versionLabel: "v25.3.0"}, "ready"), answered: "25.3.0"},
		"by the chart":             {policy: policy(map[string]string{chartLabel: "gpu-operator-v25.3.0"}, "ready"), answered: "v25.3.0"},
		"another version":          {policy: policy(map[string]string{versionLabel: "v25.3.0"}, "ready"), answered: "v24.9.2", want: "failed", words: "25.3.0"},
		"by the Deployment":        {policy: policy(nil, "ready"), deployment: deployment(nil, "nvcr.io/nvidia/gpu-operator:v24.9.2"), answered: "24.9.2"},
		"by OLM":                   {policy: policy(nil, "ready"), deployment: deployment(map[string]string{ownerLabel: "gpu-operator-certified.v24.6.1"}, "x@sha256:abc"), answered: "24.6.1"},
		"no version, may not look": {policy: policy(nil, "ready"), deployments: forbidden, answered: "24.9.2", want: "undecided", words: "list deployments.apps"},
		"no version":               {policy: policy(nil, "ready"), answered: "24.9.2", want: "undecided", words: "nothing says its version"},
		"none, none":               {policies: notServed, answered: "none"},
		"none, may not look":       {policies: notServed, deployments: forbidden, answered: "None"},
		"none, hidden policies":    {policies: forbidden, answered: "none", want: "undecided", words: "list deployments.apps"},
		"none, labels":             {policies: notServed, labelled: true, answered: "none", want: "failed", words: "gpu.deploy"},
		"none, but there":          {policy: policy(map[string]string{versionLabel: "v25.3.0"}, "ready"), answered: "none", want: "failed", words: "ClusterPolicy cluster-policy, version 25.3.0"},
		"gone":                     {policies: notServed, answered: "25.3.0", want: "failed", words: "no ClusterPolicy"},
		"no version answered":      {policy: policy(map[string]string{versionLabel: "v25.3.0"}, "ready"), answered: "yes", want: "failed", words: "the operator's is 25.3.0"},
	} {
		dynamic := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{clusterPolicies: "ClusterPolicyList"})
		if c.policy != nil {
			dynamic.Tracker().Create(clusterPolicies, c.policy, "")
		}
		client := fake.NewClientset()
		if c.deployment != nil {
			client.Tracker().Add(c.deployment)
		}
		refuse := func(err error) clienttesting.ReactionFunc {
			return func(clienttesting.Action) (bool, runtime.Object, error) { return err != nil, nil, err }
		}
		dynamic.PrependReactor("list", "clusterpolicies", refuse(c.policies))
		client.PrependReactor("list", "deployments", refuse(c.deployments))
		f := judgeOperator(findOperator(context.Background(), dynamic, client, c.labelled), c.answered)
		got := ""
		if f != nil {
			got = map[bool]string{true: "undecided", false: "failed"}[f.Undecided]
		}
		if got != c.want || f != nil && !strings.Contains(f.Error(), c.words) {
			t.Errorf("%s: %q: %v", name, got, f)
		}
	}
}

func mergeLabels(labels map[string]string, key, value string) map[string]string {
	all := map[string]string{key: value}
	for k, v := range labels {
		all[k] = v
	}
	return all
}

func TestHolders(t *testing.T) {
	pod := func(namespace, name string, gpus string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{NodeName: "gpu1", Containers: []corev1.Container{
			{Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{gpuName: resource.MustParse(gpus)}}}}}}
	}
	client := fake.NewClientset(pod("hub", "jupyter-jane", "2"), pod("other", "train", "1"), pod("hub", "proxy", "0"))
	if got := holders(context.Background(), client, "hub", "gpu1", string(gpuName)); got != "held by hub/jupyter-jane (2), other/train (1)" {
		t.Errorf("all namespaces: %q", got)
	}
	client.PrependReactor("list", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return action.GetNamespace() == "", nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "",
			errors.New(`User "runner" cannot list resource "pods" in API group "" at the cluster scope`))
	})
	if got := holders(context.Background(), client, "hub", "gpu1", string(gpuName)); !strings.HasPrefix(got, "held by hub/jupyter-jane (2); pods of other namespaces cannot be seen: the runner may not list pods") {
		t.Errorf("one namespace: %q", got)
	}
}

func TestPublishedDevices(t *testing.T) {
	device := func(name, kind string, taints ...resourcev1.DeviceTaint) resourcev1.Device {
		return resourcev1.Device{Name: name, Taints: taints, Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{
			"type": {StringValue: ptr.To(kind)}, "productName": {StringValue: ptr.To("NVIDIA A100-SXM4-80GB")}}}
	}
	slice := func(name, node string, generation int64, devices ...resourcev1.Device) *resourcev1.ResourceSlice {
		return &resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: resourcev1.ResourceSliceSpec{
			Driver: "gpu.nvidia.com", NodeName: &node, Pool: resourcev1.ResourcePool{Name: node, Generation: generation}, Devices: devices}}
	}
	class := &resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: "gpu.nvidia.com"}, Spec: resourcev1.DeviceClassSpec{Selectors: []resourcev1.DeviceSelector{
		{CEL: &resourcev1.CELDeviceSelector{Expression: `device.driver == 'gpu.nvidia.com' && device.attributes['gpu.nvidia.com'].type == 'gpu'`}}}}}
	client := fake.NewClientset(class,
		slice("a-old", "gpu1", 1, device("gpu-9", "gpu")),
		slice("b-new", "gpu1", 2, device("gpu-0", "gpu", resourcev1.DeviceTaint{Key: "noted", Effect: resourcev1.DeviceTaintEffectNone}), device("gpu-1", "gpu", resourcev1.DeviceTaint{Key: "broken"}), device("gpu-0-mig-1", "mig")))
	byNode, err := devicesOf(context.Background(), client, "gpu.nvidia.com")
	if err != nil {
		t.Fatal(err)
	}
	if want := (published{all: 2, healthy: 1, product: "NVIDIA A100-SXM4-80GB"}); byNode["gpu1"] != want {
		t.Errorf("%+v, want %+v", byNode["gpu1"], want)
	}
	f := &fleet{}
	f.add(gpuNode("gpu1", -1, -1, present), terms{resource: string(gpuName), selector: present, published: byNode})
	f.settle(terms{published: byNode})
	if n := f.nodes[0]; !f.claims || n.capacity != 2 || n.allocatable != 1 || n.product == "" {
		t.Errorf("claims %v, node %+v", f.claims, n)
	}
	client.Tracker().Add(slice("c-mig", "gpu2", 1, device("gpu-0-mig-1", "mig")))
	if byNode, _ := devicesOf(context.Background(), client, "gpu.nvidia.com"); len(byNode) != 1 {
		t.Errorf("a node without such devices has some: %+v", byNode)
	}
	if _, err := devicesOf(context.Background(), client, "absent"); err == nil {
		t.Error("a class that is not there is an error")
	}
}
