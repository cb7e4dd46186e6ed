package faults

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// The policies, each with its binding of the same name.
var (
	//go:embed ingress-policy.yaml
	ingressPolicy []byte
	//go:embed endpoints-policy.yaml
	endpointsPolicy []byte
)

// admission is an admission policy that refuses what the lab otherwise admits.
type admission struct {
	// name is the policy's and its binding's, and manifest holds both.
	name     string
	manifest []byte
	// try creates, without keeping it, an object that the policy refuses.
	try func(context.Context, *seed.Cluster, metav1.CreateOptions) error
}

var (
	corporateIngresses = admission{"lab-fault-corporate-ingresses", ingressPolicy, tryIngress}
	noEndpoints        = admission{"lab-fault-no-endpoints", endpointsPolicy, tryEndpoints}
)

func (a admission) refuse(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	if err := cluster.Apply(ctx, "", a.manifest); err != nil {
		return err
	}
	return a.wait(ctx, cluster, false)
}

func (a admission) admit(ctx context.Context, lab *Lab, _ []byte) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	api := cluster.Client.AdmissionregistrationV1()
	err = errors.Join(
		orGone(api.ValidatingAdmissionPolicyBindings().Delete(ctx, a.name, metav1.DeleteOptions{})),
		orGone(api.ValidatingAdmissionPolicies().Delete(ctx, a.name, metav1.DeleteOptions{})))
	if err != nil {
		return err
	}
	return a.wait(ctx, cluster, true)
}

func orGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// wait waits until the API server admits the object, or does not: it takes note of policies a
// little after they are written.
func (a admission) wait(ctx context.Context, cluster *seed.Cluster, admitted bool) error {
	return process.Until(ctx, func(ctx context.Context) error {
		err := a.try(ctx, cluster, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		refused := err != nil && strings.Contains(err.Error(), a.name)
		if refused == admitted || err != nil && !refused {
			return fmt.Errorf("what %s is about is admitted: %t, meant to be %t: %w", a.name, err == nil, admitted, err)
		}
		return nil
	})
}

func tryIngress(ctx context.Context, cluster *seed.Cluster, options metav1.CreateOptions) error {
	_, err := cluster.Client.NetworkingV1().Ingresses(topology.Namespace).Create(ctx, &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "lab-try", Namespace: topology.Namespace},
		Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "none", Port: networkingv1.ServiceBackendPort{Number: 80}},
		}, IngressClassName: ptr.To("lab-try")},
	}, options)
	return err
}

func tryEndpoints(ctx context.Context, cluster *seed.Cluster, options metav1.CreateOptions) error {
	_, err := cluster.Client.DiscoveryV1().EndpointSlices(topology.Namespace).Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "lab-try", Namespace: topology.Namespace},
		AddressType: discoveryv1.AddressTypeIPv4,
	}, options)
	return err
}
