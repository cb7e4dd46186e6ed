package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// deleter is the role by which the namespace controller empties namespaces.
const deleter = "system:controller:namespace-controller"

// terminateNamespace deletes the namespace after taking from the namespace controller the
// right to empty it. A finalizer would hold the namespace as well, but empty: without the
// runner's service account, whose token would be refused, and nothing would see the
// namespace terminate.
func terminateNamespace(ctx context.Context, lab *Lab, keep func([]byte) error) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	role, err := cluster.Client.RbacV1().ClusterRoles().Get(ctx, deleter, metav1.GetOptions{})
	if err != nil {
		return err
	}
	rules, err := json.Marshal(role.Rules)
	if err != nil {
		return err
	}
	if err := keep(rules); err != nil {
		return err
	}
	emptying := func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Verbs, "deletecollection") }
	if err := setDeleter(ctx, cluster, slices.DeleteFunc(role.Rules, emptying), false); err != nil {
		return err
	}
	namespaces := cluster.Client.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, topology.Namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return process.Until(ctx, func(ctx context.Context) error {
		found, err := namespaces.Get(ctx, topology.Namespace, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range found.Status.Conditions {
			if condition.Type == corev1.NamespaceDeletionContentFailure && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("the namespace's deletion has not got stuck yet: %v", found.Status.Conditions)
	})
}

// setDeleter gives the namespace controller's role these rules, and waits until the API
// server's authorizer has taken note.
func setDeleter(ctx context.Context, cluster *seed.Cluster, rules []rbacv1.PolicyRule, mayEmpty bool) error {
	change, err := json.Marshal(map[string]any{"rules": rules})
	if err != nil {
		return err
	}
	_, err = cluster.Client.RbacV1().ClusterRoles().Patch(ctx, deleter, types.MergePatchType, change, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return waitAllowed(ctx, cluster, "system:serviceaccount:kube-system:namespace-controller",
		right{verb: "deletecollection", resource: "secrets", namespaced: true}, mayEmpty)
}

// recreateNamespace lets the deletion come to its end and seeds the namespace anew.
func recreateNamespace(ctx context.Context, lab *Lab, kept []byte) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		var rules []rbacv1.PolicyRule
		if err := json.Unmarshal(kept, &rules); err != nil {
			return err
		}
		if err := setDeleter(ctx, cluster, rules, true); err != nil {
			return err
		}
	}
	namespaces := cluster.Client.CoreV1().Namespaces()
	err = process.Until(ctx, func(ctx context.Context) error {
		found, err := namespaces.Get(ctx, topology.Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && found.DeletionTimestamp == nil {
			return nil
		}
		if err != nil {
			return err
		}
		// The controller waits longer after each failure; a change calls it at once.
		nudge := fmt.Sprintf(`{"metadata":{"annotations":{"lab.aiv.internal/mended":%q}}}`, metav1.Now().Format("15:04:05"))
		_, _ = namespaces.Patch(ctx, topology.Namespace, types.MergePatchType, []byte(nudge), metav1.PatchOptions{})
		return fmt.Errorf("the namespace is still being deleted: %v", found.Status.Conditions)
	})
	if err != nil {
		return err
	}
	if err := seed.Namespace(ctx, cluster, lab.Dir); err != nil {
		return err
	}
	return process.Until(ctx, func(ctx context.Context) error {
		_, err := cluster.Client.CoreV1().ServiceAccounts(topology.Namespace).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// exhausted are the amounts that an exhausted quota sets to nothing.
var exhausted = []corev1.ResourceName{corev1.ResourcePods, corev1.ResourcePersistentVolumeClaims, corev1.ResourceRequestsStorage}

func exhaustQuota(ctx context.Context, lab *Lab, _ func([]byte) error) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	hard := map[corev1.ResourceName]string{}
	for _, name := range exhausted {
		hard[name] = "0"
	}
	change, err := json.Marshal(map[string]any{"spec": map[string]any{"hard": hard}})
	if err != nil {
		return err
	}
	_, err = cluster.Client.CoreV1().ResourceQuotas(topology.Namespace).
		Patch(ctx, topology.Quota, types.MergePatchType, change, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return waitQuota(ctx, cluster, true)
}

func restoreQuota(ctx context.Context, lab *Lab, _ []byte) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	if err := seed.Namespace(ctx, cluster, lab.Dir); err != nil {
		return err
	}
	return waitQuota(ctx, cluster, false)
}

// waitQuota waits until the quota counts: admission goes by its status, which the controller
// manager writes.
func waitQuota(ctx context.Context, cluster *seed.Cluster, empty bool) error {
	return process.Until(ctx, func(ctx context.Context) error {
		quota, err := cluster.Client.CoreV1().ResourceQuotas(topology.Namespace).Get(ctx, topology.Quota, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, name := range exhausted {
			amount := quota.Status.Hard[name]
			if amount.IsZero() != empty {
				return fmt.Errorf("the quota's status still allows %s of %s", amount.String(), name)
			}
		}
		return nil
	})
}
