package network

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

// The names by which ingress controllers call themselves in an IngressClass's spec.controller
// or a GatewayClass's spec.controllerName, as their documentations give them.
var controllerNames = map[answers.IngressController][]string{
	answers.NGINX:   {communityNGINX, "nginx.org/ingress-controller", "gateway.nginx.org/nginx-gateway-controller"},
	answers.Traefik: {"traefik.io/ingress-controller", "traefik.io/gateway-controller"},
}

// communityNGINX is Kubernetes' own controller on NGINX, which the project has retired:
// https://kubernetes.io/blog/2025/11/11/ingress-nginx-retirement/
const communityNGINX = "k8s.io/ingress-nginx"

// isCommunityNGINX says whether a controller is that one. Several in one cluster go by names of
// their own, such as k8s.io/internal-ingress-nginx:
// https://kubernetes.github.io/ingress-nginx/user-guide/multiple-ingress/
func isCommunityNGINX(controller string) bool {
	return strings.HasPrefix(controller, "k8s.io/") && strings.Contains(controller, "ingress-nginx")
}

var (
	gateways       = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}
	gatewayClasses = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gatewayclasses"}
)

var _ = check.Subsection("2.2", func() {
	check.Item("2.2.2", func(ctx context.Context, a answers.Ingress) {
		target := check.Cluster()
		var classes []class
		var wanted string
		var err error
		if a.Gateway.Name != "" {
			wanted, classes, err = gatewayClass(ctx, target, a.Gateway)
		} else {
			wanted = a.ClassName
			classes, err = ingressClasses(ctx, target)
		}
		check.NoError(err, "find the class "+wanted)
		check.Evidence("classes", describeClasses(classes))
		name, err := judgeController(a, wanted, classes)
		check.Evidence("controller", name)
		check.NoError(err, "compare the controller")
		if isCommunityNGINX(name) {
			check.Warn("the controller is "+name+", Kubernetes' own ingress-nginx", "the Kubernetes project retired it in March 2026: it gets no security fixes any more",
				"plan the move to another controller, or to the Gateway API, with the company's platform team")
		}
		if a.Controller == answers.OtherIngress && a.ControllerName == "" {
			check.Warn("the controller is "+name+", which the answers file does not name", "", "set ingress.controllerName: "+name)
		}
	})
})

// class is an IngressClass or a GatewayClass.
type class struct{ kind, name, controller string }

func ingressClasses(ctx context.Context, target check.Target) ([]class, error) {
	check.Step("list the IngressClasses")
	list, err := target.Client.NetworkingV1().IngressClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []class
	for _, one := range list.Items {
		out = append(out, fromIngressClass(one))
	}
	return out, nil
}

func fromIngressClass(one networkingv1.IngressClass) class {
	return class{"IngressClass", one.Name, one.Spec.Controller}
}

// gatewayClass returns the name of the Gateway's class, and that class.
func gatewayClass(ctx context.Context, target check.Target, gateway answers.Gateway) (string, []class, error) {
	check.Step("read Gateway %s/%s", gateway.Namespace, gateway.Name)
	found, err := target.Dynamic.Resource(gateways).Namespace(gateway.Namespace).Get(ctx, gateway.Name, metav1.GetOptions{})
	if err != nil {
		return "", nil, err
	}
	name, _, _ := unstructured.NestedString(found.Object, "spec", "gatewayClassName")
	list, err := target.Dynamic.Resource(gatewayClasses).List(ctx, metav1.ListOptions{})
	if err != nil {
		return name, nil, err
	}
	var out []class
	for _, one := range list.Items {
		controller, _, _ := unstructured.NestedString(one.Object, "spec", "controllerName")
		out = append(out, class{"GatewayClass", one.GetName(), controller})
	}
	return name, out, nil
}

// judgeController returns the controller of the wanted class, and an error where it is not the
// chosen one. Where the class is missing but another one has the chosen controller, only the
// name is wrong, which is 2.2.3's to say.
func judgeController(a answers.Ingress, wanted string, classes []class) (string, error) {
	expected := fmt.Sprintf("%s is the controller of class %s (ingress.controller, ingress.className)", chosen(a), wanted)
	at := slices.IndexFunc(classes, func(one class) bool { return one.name == wanted })
	if at < 0 {
		found := "there is no class " + wanted + ", but " + describeClasses(classes)
		if slices.ContainsFunc(classes, func(one class) bool { return fits(a, one.controller) }) {
			return "", finding.NotDecided(expected, found, "the class has another name than the answer says", "see item 2.2.3")
		}
		return "", finding.Failed(expected, found, "the controller is not installed, or installed without its class",
			"install the ingress controller with its class, or correct ingress.className and ingress.controller")
	}
	controller := classes[at].controller
	if !fits(a, controller) {
		return controller, finding.Failed(expected, fmt.Sprintf("%s %s belongs to %s", classes[at].kind, wanted, known(controller)),
			"the class is another controller's than the one that was confirmed: it decides which annotations, limits and timeouts JupyterHub's Ingress needs",
			"correct ingress.controller, or have the class of the confirmed controller named in ingress.className")
	}
	return controller, nil
}

// chosen is the answered controller in words.
func chosen(a answers.Ingress) string {
	if a.Controller == answers.OtherIngress {
		if a.ControllerName != "" {
			return a.ControllerName
		}
		return "a controller other than NGINX and Traefik"
	}
	return strings.Join(controllerNames[a.Controller], " or ")
}

// choiceOf returns which of the choices of ingress.controller a controller is, "" for none.
func choiceOf(controller string) answers.IngressController {
	if isCommunityNGINX(controller) {
		return answers.NGINX
	}
	for choice, names := range controllerNames {
		if slices.Contains(names, controller) {
			return choice
		}
	}
	return ""
}

// fits says whether a controller's name is the answered one.
func fits(a answers.Ingress, controller string) bool {
	switch {
	case controller == "":
		return false
	case a.Controller != answers.OtherIngress:
		return choiceOf(controller) == a.Controller
	case a.ControllerName != "":
		return controller == a.ControllerName
	}
	return choiceOf(controller) == ""
}

// known adds to a controller's name which of the choices it is.
func known(controller string) string {
	if controller == "" {
		return "no controller"
	}
	if choice := choiceOf(controller); choice != "" {
		return fmt.Sprintf("%s, which is the choice %q", controller, choice)
	}
	return controller
}

func describeClasses(classes []class) string {
	if len(classes) == 0 {
		return "no class at all"
	}
	var out []string
	for _, one := range classes {
		out = append(out, fmt.Sprintf("%s %s of %s", one.kind, one.name, one.controller))
	}
	const most = 8
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("%d more", len(out)-most))
	}
	return strings.Join(out, ", ")
}
