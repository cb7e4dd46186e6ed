package throwaway

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/framework/kubeerr"
)

// LabelRole tells the pods of one item apart for policies and Services.
const LabelRole = "conformance.aiv.internal/role"

// PolicyOptions describe a throwaway NetworkPolicy. A direction whose rules are nil is none of
// its business; one with an empty list of rules is closed.
type PolicyOptions struct {
	// Name tells the policies of one item apart.
	Name string
	// Role is that of the pods that it selects: this run's, this item's, and no others.
	Role    string
	Ingress []networkingv1.NetworkPolicyIngressRule
	Egress  []networkingv1.NetworkPolicyEgressRule
}

// Policy is a throwaway NetworkPolicy.
type Policy struct {
	kit  *Kit
	name string
}

// NetworkPolicy creates a policy for pods of this item and registers its deletion. What keeps it
// from being created is a finding. Policies add up: to change what one says, create another
// beside it, or delete it.
func (k *Kit) NetworkPolicy(ctx context.Context, options PolicyOptions) (*Policy, error) {
	policy := k.newPolicy(options)
	if err := k.run.mayCreate("NetworkPolicy " + policy.Name); err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	policies := k.client.Kube.NetworkingV1().NetworkPolicies(k.Namespace())
	k.deleteAfter("NetworkPolicy", policy.Name, policies.Delete)
	if _, err := policies.Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		return nil, kubeerr.FromAPI(err, "create the throwaway NetworkPolicy "+policy.Name)
	}
	return &Policy{kit: k, name: policy.Name}, nil
}

func (k *Kit) newPolicy(o PolicyOptions) *networkingv1.NetworkPolicy {
	policy := &networkingv1.NetworkPolicy{
		ObjectMeta: k.meta(o.Name, nil),
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: k.PodsOf(o.Role), Ingress: o.Ingress, Egress: o.Egress},
	}
	if o.Ingress != nil {
		policy.Spec.PolicyTypes = append(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
	}
	if o.Egress != nil {
		policy.Spec.PolicyTypes = append(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	}
	return policy
}

// PodsOf selects the pods of this run and item that have a role, and never anybody else's.
func (k *Kit) PodsOf(role string) metav1.LabelSelector {
	labels := k.Labels()
	labels[LabelRole] = role
	return metav1.LabelSelector{MatchLabels: labels}
}

// Delete deletes the policy. It is out of the API when this returns; the network takes note of
// that a little later.
func (p *Policy) Delete(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	policies := p.kit.client.Kube.NetworkingV1().NetworkPolicies(p.kit.Namespace())
	return deleted(policies.Delete(ctx, p.name, metav1.DeleteOptions{}), "NetworkPolicy", p.name)
}
