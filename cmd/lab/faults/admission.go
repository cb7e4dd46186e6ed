package faults

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// ingressPolicy is the policy and its binding, both of one name.
//
//go:embed ingress-policy.yaml
var ingressPolicy []byte

const ingressPolicyName = "lab-fault-corporate-ingresses"

func refuseIngresses(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	if err := cluster.Apply(ctx, "", ingressPolicy); err != nil {
		return err
	}
	return waitIngress(ctx, cluster, false)
}

func admitIngresses(ctx context.Context, lab *Lab, _ []byte) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	api := cluster.Client.AdmissionregistrationV1()
	err = errors.Join(
		orGone(api.ValidatingAdmissionPolicyBindings().Delete(ctx, ingressPolicyName, metav1.DeleteOptions{})),
		orGone(api.ValidatingAdmissionPolicies().Delete(ctx, ingressPolicyName, metav1.DeleteOptions{})))
	if err != nil {
		return err
	}
	return waitIngress(ctx, cluster, true)
}

func orGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// waitIngress waits until the API server admits an ingress, or does not: it takes note of
// policies a little after they are written.
func waitIngress(ctx context.Context, cluster *seed.Cluster, admitted bool) error {
	ingress := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "lab-try", Namespace: topology.Namespace},
		Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "none", Port: networkingv1.ServiceBackendPort{Number: 80}},
		}, IngressClassName: ptr.To("lab-try")},
	}
	return process.Until(ctx, func(ctx context.Context) error {
		_, err := cluster.Client.NetworkingV1().Ingresses(topology.Namespace).
			Create(ctx, ingress, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		refused := err != nil && strings.Contains(err.Error(), ingressPolicyName)
		if refused == admitted || err != nil && !refused {
			return fmt.Errorf("an ingress is admitted: %t, meant to be %t: %w", err == nil, admitted, err)
		}
		return nil
	})
}
