package throwaway

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/kubeerr"
)

// Service creates a Service of type ClusterIP before the item's pods of a role, registers its
// deletion and returns its name. ports are what it listens on, by name.
func (k *Kit) Service(ctx context.Context, name, role string, ports map[string]Port) (string, error) {
	service := &corev1.Service{ObjectMeta: k.meta(name, nil), Spec: corev1.ServiceSpec{Selector: k.PodsOf(role).MatchLabels}}
	for name, port := range ports {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
			Name: name, Port: int32(port.Service), TargetPort: intstr.FromInt(port.Pod), Protocol: corev1.ProtocolTCP})
	}
	if err := k.run.mayCreate("service " + service.Name); err != nil {
		return "", err
	}
	services := k.client.Kube.CoreV1().Services(k.Namespace())
	k.deleteAfter("service", service.Name, services.Delete)
	if _, err := services.Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return "", kubeerr.FromAPI(err, "create the throwaway service "+service.Name)
	}
	return service.Name, nil
}

// Port is a port of a Service, and the pods' one that it leads to.
type Port struct{ Service, Pod int }

// IngressOptions describe a throwaway Ingress: one host, all paths, one Service.
type IngressOptions struct {
	// Name tells the Ingresses of one item apart.
	Name string
	// Class is the IngressClass.
	Class string
	Host  string
	// Service and the name of its port that requests are sent to.
	Service, Port string
	// TLSSecret holds the certificate for Host; none if empty.
	TLSSecret   string
	Annotations map[string]string
	// NoPath says nothing of paths, which means all too, for a controller that takes none where TLS
	// is handed on.
	NoPath bool
}

// Ingress is a throwaway Ingress.
type Ingress struct {
	kit  *Kit
	last *networkingv1.Ingress
}

// Ingress creates an Ingress and registers its deletion. What keeps it from being created is
// a finding.
func (k *Kit) Ingress(ctx context.Context, o IngressOptions) (*Ingress, error) {
	ingress := &networkingv1.Ingress{ObjectMeta: k.meta(o.Name, nil), Spec: networkingv1.IngressSpec{
		IngressClassName: ptr.To(o.Class),
		Rules: []networkingv1.IngressRule{{Host: o.Host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: ptr.To(networkingv1.PathTypePrefix),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: o.Service, Port: networkingv1.ServiceBackendPort{Name: o.Port}}},
			}}},
		}}},
	}}
	if o.NoPath {
		only := &ingress.Spec.Rules[0].HTTP.Paths[0]
		only.Path, only.PathType = "", ptr.To(networkingv1.PathTypeImplementationSpecific)
	}
	ingress.Annotations = maps.Clone(o.Annotations)
	if o.TLSSecret != "" {
		ingress.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{o.Host}, SecretName: o.TLSSecret}}
	}
	if err := k.run.mayCreate("ingress " + ingress.Name); err != nil {
		return nil, err
	}
	ingresses := k.client.Kube.NetworkingV1().Ingresses(k.Namespace())
	k.deleteAfter("ingress", ingress.Name, ingresses.Delete)
	created, err := ingresses.Create(ctx, ingress, metav1.CreateOptions{})
	if err != nil {
		return nil, kubeerr.FromAPI(err, "create the throwaway ingress "+ingress.Name)
	}
	return &Ingress{kit: k, last: created}, nil
}

// Name returns the Ingress's name.
func (i *Ingress) Name() string { return i.last.Name }

// Addresses waits until the ingress controller has published the addresses and host names
// under which the Ingress is reached, and returns them. There are none where it publishes
// none until ctx ends, which is no error: not every controller does. An API server that is out
// of reach then is one.
func (i *Ingress) Addresses(ctx context.Context) ([]string, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	ingresses := i.kit.client.Kube.NetworkingV1().Ingresses(i.last.Namespace)
	// i.last stays as it is: others may read it meanwhile.
	last, err := follow(ctx, target[*networkingv1.Ingress]{kind: "ingresses", name: i.last.Name, get: ingresses.Get, watch: ingresses.Watch}, i.last,
		func(_ context.Context, ingress *networkingv1.Ingress, gone bool) (bool, time.Duration, error) {
			return gone || len(published(ingress)) > 0, 0, nil
		})
	if err != nil && kubeerr.ReasonOf(err) != kubeerr.Interrupted {
		return nil, kubeerr.FromAPI(err, fmt.Sprintf("read the status of ingress %s", i.last.Name))
	}
	return published(last), nil
}

func published(ingress *networkingv1.Ingress) []string {
	var all []string
	for _, point := range ingress.Status.LoadBalancer.Ingress {
		for _, address := range []string{point.IP, point.Hostname} {
			if address != "" {
				all = append(all, address)
			}
		}
	}
	return all
}

// Events returns what the cluster's controllers said about the Ingress, the latest last and
// at most the given number; empty where nobody said anything or the runner may not read it.
func (i *Ingress) Events(ctx context.Context, most int) (said []string) {
	for _, event := range eventsOf(ctx, i.kit.client, i.last.Namespace, "Ingress", i.last.Name, i.last.UID) {
		said = append(said, event.Reason+": "+event.Message)
	}
	return said[max(0, len(said)-most):]
}
