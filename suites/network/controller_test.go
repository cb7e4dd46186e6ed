package network

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

func TestJudgeController(t *testing.T) {
	classes := []class{{"IngressClass", "nginx", communityNGINX}, {"IngressClass", "edge", "haproxy.org/ingress-controller"}, {"IngressClass", "empty", ""},
		{"IngressClass", "internal", "k8s.io/internal-ingress-nginx"}}
	for name, c := range map[string]struct {
		answer answers.Ingress
		wanted string
		want   string
		words  []string
	}{
		"nginx":                        {answers.Ingress{Controller: answers.NGINX}, "nginx", "", nil},
		"nginx, renamed":               {answers.Ingress{Controller: answers.NGINX}, "internal", "", nil},
		"other, but is nginx, renamed": {answers.Ingress{Controller: answers.OtherIngress}, "internal", "failed", []string{"k8s.io/internal-ingress-nginx", `"nginx"`}},
		"not traefik":                  {answers.Ingress{Controller: answers.Traefik}, "nginx", "failed", []string{communityNGINX, `"nginx"`}},
		"named":                        {answers.Ingress{Controller: answers.OtherIngress, ControllerName: "haproxy.org/ingress-controller"}, "edge", "", nil},
		"another name":                 {answers.Ingress{Controller: answers.OtherIngress, ControllerName: "projectcontour.io/ingress-controller"}, "edge", "failed", []string{"haproxy.org"}},
		"other, not named":             {answers.Ingress{Controller: answers.OtherIngress}, "edge", "", nil},
		"other, but is nginx":          {answers.Ingress{Controller: answers.OtherIngress}, "nginx", "failed", []string{`"nginx"`}},
		"no controller":                {answers.Ingress{Controller: answers.OtherIngress}, "empty", "failed", []string{"no controller"}},
		"nginx, named after renaming":  {answers.Ingress{Controller: answers.OtherIngress, ControllerName: "k8s.io/internal-ingress-nginx"}, "internal", "", nil},
		"class missing":                {answers.Ingress{Controller: answers.Traefik}, "traefik", "failed", []string{"there is no class traefik", "IngressClass edge"}},
		"class has another name": {
			answers.Ingress{Controller: answers.NGINX}, "public", "undecided", []string{"2.2.3", "IngressClass nginx"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := judgeController(c.answer, c.wanted, classes)
			expectFinding(t, err, c.want, c.words...)
		})
	}
	_, err := judgeController(answers.Ingress{Controller: answers.NGINX}, "nginx", nil)
	expectFinding(t, err, "failed", "no class at all")
}

func TestClassesOfTheCluster(t *testing.T) {
	client := fake.NewClientset(&networkingv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: "traefik"}, Spec: networkingv1.IngressClassSpec{Controller: "traefik.io/ingress-controller"},
	})
	object := func(kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
			"metadata": map[string]any{"name": name, "namespace": namespace}, "spec": spec,
		}}
	}
	dynamic := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{gateways: "GatewayList", gatewayClasses: "GatewayClassList"},
		object("GatewayClass", "", "company", map[string]any{"controllerName": "traefik.io/gateway-controller"}))
	// Not above: the fake would guess that its resource is called gatewaies.
	public := object("Gateway", "ingress", "public", map[string]any{"gatewayClassName": "company"})
	if _, err := dynamic.Resource(gateways).Namespace("ingress").Create(t.Context(), public, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	target := check.Target{Client: client, Dynamic: dynamic, Namespace: "hub"}

	classes, err := ingressClasses(t.Context(), target)
	if err != nil || len(classes) != 1 {
		t.Fatalf("%v, %v", classes, err)
	}
	if name, err := judgeController(answers.Ingress{Controller: answers.Traefik}, "traefik", classes); err != nil || name != "traefik.io/ingress-controller" {
		t.Errorf("%q, %v", name, err)
	}
	wanted, classes, err := gatewayClass(t.Context(), target, answers.Gateway{Namespace: "ingress", Name: "public"})
	if err != nil {
		t.Fatal(err)
	}
	if name, err := judgeController(answers.Ingress{Controller: answers.Traefik}, wanted, classes); err != nil || name != "traefik.io/gateway-controller" {
		t.Errorf("%q, %v", name, err)
	}
	if _, _, err := gatewayClass(t.Context(), target, answers.Gateway{Namespace: "ingress", Name: "none"}); err == nil {
		t.Error("found a Gateway that is not there")
	}
}

// TestRetiredController: whoever goes by another name is warned of as well.
func TestRetiredController(t *testing.T) {
	for controller, want := range map[string]bool{
		communityNGINX: true, "k8s.io/internal-ingress-nginx": true, "k8s.io/ingress-nginx-2": true,
		"nginx.org/ingress-controller": false, "gateway.nginx.org/nginx-gateway-controller": false, traefikController: false, "": false,
	} {
		if isCommunityNGINX(controller) != want {
			t.Errorf("%q is Kubernetes' own: %t", controller, !want)
		}
	}
}
