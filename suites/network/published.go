package network

import (
	"context"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"

	"aiv.internal/conformance/framework/check"
)

// pageSize of lists, so that memory does not grow with the cluster.
const pageSize = 500

// published is where the cluster says that it can be reached from outside.
type published []publication

// publication is one object with addresses.
type publication struct {
	// name is "Service namespace/name" or "Ingress name".
	name      string
	addresses []string
	// entry is true for what looks like an ingress controller's.
	entry bool
}

// findPublished lists the Services of type LoadBalancer of all namespaces and the Ingresses of
// the run's own. Without the right to list Services of other namespaces, the error says so and
// what was found is the rest.
func findPublished(ctx context.Context, target check.Target) (published, error) {
	var found published
	ingresses, err := target.Client.NetworkingV1().Ingresses(target.Namespace).List(ctx, metav1.ListOptions{Limit: pageSize})
	if err == nil {
		for _, ingress := range ingresses.Items {
			if addresses := ingressAddresses(ingress.Status.LoadBalancer.Ingress); len(addresses) > 0 {
				found = append(found, publication{name: "Ingress " + ingress.Name, addresses: addresses, entry: true})
			}
		}
	}
	services, err := loadBalancers(ctx, target.Client)
	return append(found, services...), err
}

// loadBalancers lists Services of type LoadBalancer that have an address; the API server picks
// them out.
func loadBalancers(ctx context.Context, client kubernetes.Interface) (published, error) {
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().Services(metav1.NamespaceAll).List(ctx, options)
	})
	list.PageSize = pageSize
	var found published
	err := list.EachListItem(ctx, metav1.ListOptions{FieldSelector: "spec.type=" + string(corev1.ServiceTypeLoadBalancer)}, func(object runtime.Object) error {
		service := object.(*corev1.Service)
		if addresses := serviceAddresses(ctx, service); len(addresses) > 0 {
			found = append(found, publication{name: "Service " + service.Namespace + "/" + service.Name, addresses: addresses, entry: isEntry(service)})
		}
		return nil
	})
	return found, err
}

// serviceAddresses are the addresses that the Service has been given. A host name, as clouds
// give them, is resolved as well.
func serviceAddresses(ctx context.Context, service *corev1.Service) []string {
	var out []string
	for _, point := range service.Status.LoadBalancer.Ingress {
		if point.IP != "" {
			out = append(out, point.IP)
		}
		if point.Hostname != "" {
			resolved, _ := net.DefaultResolver.LookupHost(ctx, point.Hostname)
			out = append(append(out, point.Hostname), resolved...)
		}
	}
	return out
}

func ingressAddresses(points []networkingv1.IngressLoadBalancerIngress) []string {
	var out []string
	for _, point := range points {
		if point.IP != "" {
			out = append(out, point.IP)
		}
	}
	return out
}

// entryWords are in the name, the namespace or the labels of what ingress controllers bring.
var entryWords = []string{"ingress", "gateway", "traefik", "nginx", "haproxy", "contour", "envoy", "istio", "kong", "cilium"}

// isEntry tells an ingress controller's Service, which has port 443, from the many others of
// type LoadBalancer.
func isEntry(service *corev1.Service) bool {
	if !slices.ContainsFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return port.Port == 443 }) {
		return false
	}
	names := []string{service.Name, service.Namespace}
	for _, value := range service.Labels {
		names = append(names, value)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(entryWords, func(word string) bool { return strings.Contains(strings.ToLower(name), word) })
	})
}

// has says that one of the objects, whatever it is, has the address.
func (p published) has(address string) bool {
	wanted := net.ParseIP(address)
	return slices.ContainsFunc(p, func(one publication) bool {
		return slices.ContainsFunc(one.addresses, func(known string) bool { return wanted != nil && wanted.Equal(net.ParseIP(known)) })
	})
}

// ingress are the objects that belong to an ingress controller.
func (p published) ingress() published {
	return slices.DeleteFunc(slices.Clone(p), func(one publication) bool { return !one.entry })
}

// addressList are the IP addresses of ingress controllers.
func (p published) addressList() []string {
	var out []string
	for _, one := range p.ingress() {
		for _, address := range one.addresses {
			if net.ParseIP(address) != nil {
				out = append(out, address)
			}
		}
	}
	return out
}
