package gpu

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/fake"

	"aiv.internal/conformance/cmd/lab/gpu/device"
)

func TestLabel(t *testing.T) {
	bare := func(name string, labels map[string]string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	client := fake.NewClientset(
		bare("lab-node1", map[string]string{LabelPresent: "true", "zone": "a"}),
		bare("lab-node2", map[string]string{LabelProduct: "other", "zone": "b"}))
	for range 2 {
		if err := Label(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name string) *corev1.Node {
		found, err := client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if plain := get("lab-node1"); len(plain.Labels) != 1 || plain.Labels["zone"] != "a" || len(plain.Annotations) != 0 {
		t.Errorf("the node without GPUs has %v, %v", plain.Labels, plain.Annotations)
	}
	gpus := get("lab-node2")
	for name, want := range map[string]string{LabelPresent: "true", LabelProduct: device.Product, "nvidia.com/gpu.count": "2", "zone": "b"} {
		if gpus.Labels[name] != want {
			t.Errorf("label %s is %q, want %q", name, gpus.Labels[name], want)
		}
	}
	for name, value := range gpus.Labels {
		if wrong := append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
			t.Errorf("label %s=%s: %v", name, value, wrong)
		}
	}
	if !strings.Contains(gpus.Annotations[device.SimulatedAnnotation], "simulated") {
		t.Errorf("the node does not own up to its GPUs: %v", gpus.Annotations)
	}
}

// TestManifestsNameTheSame holds the manifests against what the rest goes by.
func TestManifestsNameTheSame(t *testing.T) {
	content := string(Objects())
	for _, words := range []string{
		"app.kubernetes.io/version: " + device.OperatorVersion + "\n", "helm.sh/chart: gpu-operator-" + device.OperatorVersion + "\n",
		"name: " + device.RuntimeClass + "\n", "handler: " + device.RuntimeHandler + "\n", device.SimulatedAnnotation,
	} {
		if !strings.Contains(content, words) {
			t.Errorf("%q is not in the manifests", words)
		}
	}
	if !strings.Contains(string(CRDs()), device.SimulatedAnnotation) {
		t.Error("the definition does not own up to being simulated")
	}
}
