package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// runner is the runner's service account as the authorizer knows it.
const runner = "system:serviceaccount:" + topology.Namespace + ":" + topology.ServiceAccount

// right is one verb on one resource, in the customer's namespace where namespaced is true.
type right struct {
	verb, group, resource string
	namespaced            bool
}

// dropVerb takes a verb on a resource from every role that is bound to the runner's service
// account.
func dropVerb(verb, group, resource string) func(context.Context, *Lab, func([]byte) error) error {
	return func(ctx context.Context, lab *Lab, _ func([]byte) error) error {
		cluster, err := lab.Cluster()
		if err != nil {
			return err
		}
		dropped := right{verb: verb, group: group, resource: resource, namespaced: group != "" || resource != "nodes"}
		changed, err := dropped.fromRoles(ctx, cluster)
		if err != nil {
			return err
		}
		inCluster, err := dropped.fromClusterRoles(ctx, cluster)
		if err != nil {
			return err
		}
		if changed+inCluster == 0 {
			return fmt.Errorf("no role of %s grants %s on %s: is deploy/ applied?", runner, verb, resource)
		}
		return waitAllowed(ctx, cluster, runner, dropped, false)
	}
}

// restoreRights applies deploy/ again.
func restoreRights(ctx context.Context, lab *Lab, _ []byte) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	if err := seed.Rights(ctx, cluster, lab.Dir); err != nil {
		return err
	}
	return errors.Join(
		waitAllowed(ctx, cluster, runner, right{"update", "networking.k8s.io", "ingresses", true}, true),
		waitAllowed(ctx, cluster, runner, right{"list", "", "nodes", false}, true))
}

func (r right) fromRoles(ctx context.Context, cluster *seed.Cluster) (changed int, err error) {
	roles := cluster.Client.RbacV1().Roles(topology.Namespace)
	all, err := roles.List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	for _, role := range all.Items {
		if rules, found := r.without(role.Rules); found {
			role.Rules = rules
			if _, err := roles.Update(ctx, &role, metav1.UpdateOptions{}); err != nil {
				return changed, err
			}
			changed++
		}
	}
	return changed, nil
}

func (r right) fromClusterRoles(ctx context.Context, cluster *seed.Cluster) (changed int, err error) {
	bindings, err := cluster.Client.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	roles := cluster.Client.RbacV1().ClusterRoles()
	for _, binding := range bindings.Items {
		if !slices.ContainsFunc(binding.Subjects, isRunner) {
			continue
		}
		role, err := roles.Get(ctx, binding.RoleRef.Name, metav1.GetOptions{})
		if err != nil {
			return changed, err
		}
		if rules, found := r.without(role.Rules); found {
			role.Rules = rules
			if _, err := roles.Update(ctx, role, metav1.UpdateOptions{}); err != nil {
				return changed, err
			}
			changed++
		}
	}
	return changed, nil
}

func isRunner(subject rbacv1.Subject) bool {
	return subject.Kind == rbacv1.ServiceAccountKind && subject.Name == topology.ServiceAccount && subject.Namespace == topology.Namespace
}

// without returns the rules less the right. A rule that grants other resources too is split,
// so that these keep the verb.
func (r right) without(rules []rbacv1.PolicyRule) (left []rbacv1.PolicyRule, found bool) {
	for _, rule := range rules {
		if !slices.Contains(rule.Verbs, r.verb) || !slices.Contains(rule.APIGroups, r.group) || !slices.Contains(rule.Resources, r.resource) {
			left = append(left, rule)
			continue
		}
		found = true
		others := *rule.DeepCopy()
		others.Resources = slices.DeleteFunc(others.Resources, func(name string) bool { return name == r.resource })
		if len(others.Resources) > 0 {
			left = append(left, others)
		}
		own := *rule.DeepCopy()
		own.Resources = []string{r.resource}
		own.Verbs = slices.DeleteFunc(own.Verbs, func(verb string) bool { return verb == r.verb })
		if len(own.Verbs) > 0 {
			left = append(left, own)
		}
	}
	return left, found
}

// waitAllowed waits until the API server's authorizer answers as meant: it learns of changed
// roles by watch.
func waitAllowed(ctx context.Context, cluster *seed.Cluster, user string, asked right, meant bool) error {
	attributes := &authorizationv1.ResourceAttributes{Verb: asked.verb, Group: asked.group, Resource: asked.resource}
	if asked.namespaced {
		attributes.Namespace = topology.Namespace
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: []string{"system:authenticated", "system:serviceaccounts"}, ResourceAttributes: attributes,
	}}
	return process.Until(ctx, func(ctx context.Context) error {
		answer, err := cluster.Client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if answer.Status.Allowed != meant {
			return fmt.Errorf("may %s %s %s: %t, meant to be %t", user, asked.verb, asked.resource, answer.Status.Allowed, meant)
		}
		return nil
	})
}
