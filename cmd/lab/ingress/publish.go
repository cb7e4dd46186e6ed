package ingress

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// stopGrace is how long a server may take to end before it is killed.
const stopGrace = 5 * time.Second

// Backend is what the load balancer's Service leads to.
type Backend struct {
	// Endpoints are addresses, by the node that they are on; "" for none.
	Endpoints map[string]string
	// HTTP and HTTPS are the ports that 80 and 443 lead to.
	HTTP, HTTPS int32
}

// Own is the backend of the healthy lab.
func Own(full bool) Backend {
	if !full {
		return Backend{Endpoints: map[string]string{"": topology.HostIP}, HTTP: port(nginxHTTP), HTTPS: port(nginxHTTPS)}
	}
	return Backend{Endpoints: map[string]string{edge().Name: edge().IP}, HTTP: 80, HTTPS: 443}
}

func port(text string) int32 {
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		panic(err) // a constant
	}
	return int32(number)
}

// onNodes says that every endpoint is on a node.
func (b Backend) onNodes() bool {
	_, elsewhere := b.Endpoints[""]
	return !elsewhere
}

// Publish makes the load balancer's Service, or points it to another backend.
func Publish(ctx context.Context, cluster *seed.Cluster, backend Backend) error {
	for _, object := range []any{service(backend), slice(backend)} {
		content, err := json.Marshal(object)
		if err != nil {
			return err
		}
		if err := cluster.Apply(ctx, topology.IngressNamespace, content); err != nil {
			return err
		}
	}
	return nil
}

// service has no selector: its endpoints are no pods.
func service(backend Backend) corev1.Service {
	nodePorts := false
	// The backend sees the client's address where connections need not leave the node that
	// they come in by.
	policy := corev1.ServiceExternalTrafficPolicyCluster
	if backend.onNodes() {
		policy = corev1.ServiceExternalTrafficPolicyLocal
	}
	return corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Name: topology.IngressService, Namespace: topology.IngressNamespace,
			Annotations: map[string]string{"metallb.universe.tf/loadBalancerIPs": topology.VIP},
		},
		Spec: corev1.ServiceSpec{
			Type:                          corev1.ServiceTypeLoadBalancer,
			ExternalTrafficPolicy:         policy,
			AllocateLoadBalancerNodePorts: &nodePorts,
			Ports: []corev1.ServicePort{
				{Name: "http", Port: 80, TargetPort: intstr.FromInt32(backend.HTTP), Protocol: corev1.ProtocolTCP},
				{Name: "https", Port: 443, TargetPort: intstr.FromInt32(backend.HTTPS), Protocol: corev1.ProtocolTCP},
			},
		},
	}
}

func slice(backend Backend) discoveryv1.EndpointSlice {
	ready, tcp := true, corev1.ProtocolTCP
	object := discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Name: topology.IngressService, Namespace: topology.IngressNamespace,
			Labels: map[string]string{discoveryv1.LabelServiceName: topology.IngressService, discoveryv1.LabelManagedBy: "aiv-lab"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for name, number := range map[string]int32{"http": backend.HTTP, "https": backend.HTTPS} {
		object.Ports = append(object.Ports, discoveryv1.EndpointPort{Name: &name, Port: &number, Protocol: &tcp})
	}
	for node, address := range backend.Endpoints {
		endpoint := discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}
		if node != "" {
			endpoint.NodeName = &node
		}
		object.Endpoints = append(object.Endpoints, endpoint)
	}
	return object
}
