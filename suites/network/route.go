package network

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/throwaway"
)

// The controllers of IngressClasses whose way to end TLS in the pods differs.
const (
	traefikController = "traefik.io/ingress-controller"
	// openshiftController makes Routes of Ingresses, with their paths, which a Route that hands TLS on
	// may not have: https://docs.redhat.com/en/documentation/openshift_container_platform/4.18/html/ingress_and_load_balancing/routes
	openshiftController = "openshift.io/ingress-to-route"
)

// findIngressClass returns the IngressClass of that name. One that is not there is a finding
// which names those that are.
func findIngressClass(ctx context.Context, client kubernetes.Interface, name string) (*networkingv1.IngressClass, error) {
	list, err := client.NetworkingV1().IngressClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, kubeerr.FromAPI(err, "look for IngressClass "+name)
	}
	var others []string
	for i := range list.Items {
		if list.Items[i].Name == name {
			return &list.Items[i], nil
		}
		others = append(others, fmt.Sprintf("%s (%s)", list.Items[i].Name, list.Items[i].Spec.Controller))
	}
	found := "there is no IngressClass at all"
	if len(others) > 0 {
		found = "there is none of that name, but " + strings.Join(others, ", ")
	}
	return nil, finding.Failed("IngressClass "+name, found, "the ingress controller is not installed, or its class has another name",
		"correct ingress.className, or install the controller with this class")
}

// ownNames are the names of annotations, after the "/", that a throwaway Ingress carries too where
// they are answered: each only changes how requests to its own host are passed on, or at which of
// Traefik's entry points. All others stay away, because some lead more hosts to the throwaway pod
// (server-alias), and some have another controller make DNS records, certificates or load balancers.
var ownNames = []string{
	"proxy-body-size", "client-max-body-size", "client-body-buffer-size", "proxy-max-temp-file-size",
	"proxy-*-timeout", "timeout", "timeout-*",
	"proxy-buffering", "proxy-request-buffering", "proxy-buffers*", "proxy-buffer-size",
	"proxy-http-version", backendProtocol, websocketServices,
	"forwarded-for", "forwardfor", "x-forwarded-prefix",
	"router.entrypoints", routerTLS,
}

const (
	// backendProtocol says how the pods are spoken to: the throwaway one knows HTTP and HTTPS.
	backendProtocol = "backend-protocol"
	// websocketServices names the Services of an Ingress to which WebSockets are let through.
	websocketServices = "websocket-services"
)

// routerTLS has Traefik serve a host over TLS: at all entry points where none are named, which
// protocols do not bear in which the server speaks first.
const routerTLS = "router.tls"

// ownAnnotations returns those of the answered annotations that a throwaway Ingress to this Service
// carries, and the keys of those that it does not.
func ownAnnotations(answered map[string]string, service string) (kept map[string]string, leftOut []string) {
	// external-dns leaves objects alone that name another controller than itself.
	kept = map[string]string{"external-dns.alpha.kubernetes.io/controller": throwaway.ManagedBy}
	for key, value := range answered {
		_, name, _ := strings.Cut(key, "/")
		own := slices.ContainsFunc(ownNames, func(pattern string) bool { is, _ := path.Match(pattern, name); return is })
		switch {
		case !own, name == routerTLS && answered[entryPointsKey] == "", name == backendProtocol && !isProtocol(value, "HTTP") && !isProtocol(value, "HTTPS"):
			leftOut = append(leftOut, key)
		case name == websocketServices:
			kept[key] = service
		default:
			kept[key] = value
		}
	}
	slices.Sort(leftOut)
	return kept, leftOut
}

func isProtocol(value, protocol string) bool {
	return strings.EqualFold(strings.TrimSpace(value), protocol)
}

// backendPort names the port of the throwaway Service at which the pod speaks what the controller is
// told, by these annotations, to speak with it.
func backendPort(controller string, kept map[string]string) string {
	for key, value := range kept {
		prefix, name, _ := strings.Cut(key, "/")
		if name == backendProtocol && isProtocol(value, "HTTPS") && readsProtocol(controller, prefix) {
			return "https"
		}
	}
	return "http"
}

// readsProtocol says whether a controller is known to read the annotation backend-protocol of this
// prefix. All others speak HTTP, whatever is answered.
func readsProtocol(controller, prefix string) bool {
	switch prefix {
	case "nginx.ingress.kubernetes.io":
		return isCommunityNGINX(controller)
	case "alb.ingress.kubernetes.io":
		return controller == "ingress.k8s.aws/alb" || controller == "eks.amazonaws.com/alb"
	case "appgw.ingress.kubernetes.io":
		return controller == "azure/application-gateway"
	case "haproxy-ingress.github.io", "ingress.kubernetes.io":
		// https://haproxy-ingress.github.io/docs/configuration/keys/#backend-protocol
		return isHAProxyIngress(controller)
	}
	return false
}

// isHAProxyIngress says whether a controller is the project HAProxy Ingress's, which is not HAProxy's
// own: several in one cluster go by names of their own.
func isHAProxyIngress(controller string) bool {
	return controller == "haproxy-ingress.github.io/controller" || strings.HasPrefix(controller, "haproxy-ingress.github.io/controller/")
}

// readElsewhere are the beginnings of annotations that no ingress controller reads, but others do that
// make certificates and DNS records.
var readElsewhere = []string{"cert-manager.io/", "acme.cert-manager.io/", "external-dns.alpha.kubernetes.io/"}

// leftOutDoubt is why an Ingress without these of the answered annotations may be unserved.
func leftOutDoubt(leftOut []string) *doubt {
	leftOut = slices.DeleteFunc(slices.Clone(leftOut), func(key string) bool {
		return slices.ContainsFunc(readElsewhere, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
	})
	if len(leftOut) == 0 {
		return nil
	}
	names := strings.Join(leftOut, ", ")
	do := "see whether one of them decides which load balancer serves an Ingress (" + names + "), and ask for a host of an Ingress that carries them"
	if slices.Contains(leftOut, "traefik.ingress.kubernetes.io/"+routerTLS) {
		do = "answer " + entryPointsKey + " beside " + routerTLS + ", which is carried with it only"
	}
	return &doubt{"the host would be served with answered annotations that the throwaway Ingress does not carry: " + names, do}
}

// passthrough returns the annotation by which an ingress controller, named as in an IngressClass's
// spec.controller, is told to hand TLS on to the pod unopened; false for one of which that is not
// known. Several ingress-nginx in one cluster, and several of HAProxy's, go by names of their own,
// such as k8s.io/internal-ingress-nginx and haproxy.org/ingress-controller/internal.
func passthrough(controller string) (key, value string, known bool) {
	switch {
	case isCommunityNGINX(controller):
		return "nginx.ingress.kubernetes.io/ssl-passthrough", "true", true
	case isHAProxyIngress(controller):
		return "haproxy-ingress.github.io/ssl-passthrough", "true", true
	case controller == "haproxy.org/ingress-controller" || strings.HasPrefix(controller, "haproxy.org/ingress-controller/"):
		return "haproxy.org/ssl-passthrough", "true", true
	case controller == openshiftController:
		return "route.openshift.io/termination", "passthrough", true
	}
	return "", "", false
}

// unopenedIngress describes the Ingress by which a controller hands TLS for the host on to the
// Service; false for a controller of which it is not known.
func unopenedIngress(controller, host, service string, a answers.Ingress) (throwaway.IngressOptions, bool) {
	key, value, known := passthrough(controller)
	if !known {
		return throwaway.IngressOptions{}, false
	}
	annotations, _ := ownAnnotations(a.Annotations, service)
	annotations[key] = value
	return throwaway.IngressOptions{Name: "unopened", Class: a.ClassName, Host: host, Service: service, Port: "https",
		Annotations: annotations, NoPath: controller == openshiftController}, true
}

// httpRoute is the spec of an HTTPRoute from the Gateway to a Service's port 80.
func httpRoute(gateway answers.Gateway, host, service string) map[string]any {
	parent := map[string]any{"name": gateway.Name, "namespace": gateway.Namespace}
	if gateway.Listener != "" {
		parent["sectionName"] = gateway.Listener
	}
	return map[string]any{
		"parentRefs": []any{parent},
		"hostnames":  []any{host},
		"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": service, "port": int64(servicePort)}}}},
	}
}

// entryPointsKey is the annotation that names the entry points of Traefik at which an Ingress is served.
const entryPointsKey = "traefik.ingress.kubernetes.io/router.entrypoints"

// entryPoints are those of Traefik at which JupyterHub is served: the answered ones, or the one for
// https that Traefik's Helm chart makes.
func entryPoints(answered map[string]string) []string {
	var names []string
	for _, name := range strings.Split(answered[entryPointsKey], ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []string{"websecure"}
	}
	return names
}

// entryPointsDoubt is why a route at these entry points may be unserved.
func entryPointsDoubt(names []string) *doubt {
	return &doubt{"Traefik's entry point for port 443 has another name than " + strings.Join(names, ", ") + ", or its kubernetesCRD provider is off",
		"answer the name of Traefik's entry point for port 443 as " + entryPointsKey + " in ingress.annotations"}
}

// ingressRouteTCP is the spec of Traefik's own route that hands TLS on to a Service's port. Without
// entry points it would be at all: where a route for TLS is, Traefik waits for the client's first
// bytes, and protocols in which the server speaks first (SSH, MySQL) hang.
func ingressRouteTCP(host, service string, entryPoints []string) map[string]any {
	var names []any
	for _, name := range entryPoints {
		names = append(names, name)
	}
	return map[string]any{
		"entryPoints": names,
		"routes": []any{map[string]any{
			"match":    "HostSNI(`" + host + "`)",
			"services": []any{map[string]any{"name": service, "port": int64(serviceTLSPort)}},
		}},
		"tls": map[string]any{"passthrough": true},
	}
}

// objection is a condition of a route that is not true: its reason, and all of it in words.
type objection struct{ reason, words string }

// routeRefusal returns why a Gateway does not take a route, from the route's status: each
// condition that is not true. It is settled once each parent has said something of it.
func routeRefusal(content map[string]any) (reasons []objection, settled bool) {
	status, _ := content["status"].(map[string]any)
	parents, _ := status["parents"].([]any)
	for _, p := range parents {
		parent, _ := p.(map[string]any)
		conditions, _ := parent["conditions"].([]any)
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			settled = settled || condition["type"] == "Accepted"
			if condition["status"] != "True" && (condition["type"] == "Accepted" || condition["type"] == "ResolvedRefs") {
				reason, _ := condition["reason"].(string)
				reasons = append(reasons, objection{reason, fmt.Sprintf("%v is %v: %v, %v", condition["type"], condition["status"], reason, condition["message"])})
			}
		}
	}
	slices.SortFunc(reasons, func(a, b objection) int { return strings.Compare(a.words, b.words) })
	return reasons, settled
}
