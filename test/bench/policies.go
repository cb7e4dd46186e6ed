package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// heldClosed is how long the suite looks at a way that a policy has closed (suites/network): it
// belongs to each proof, whoever makes it.
const heldClosed = 3 * time.Second

// acquainted are the pods that are told another one's address, and those whose address that is.
func (r *recorded) acquainted() (first, then []string) {
	for name, pod := range r.pods {
		for ip, owner := range r.addresses {
			if owner != name && mentions(pod, ip) {
				then = append(then, name)
				if !slices.Contains(first, owner) {
					first = append(first, owner)
				}
			}
		}
	}
	slices.Sort(then)
	return first, slices.Compact(then)
}

// mentions tells whether an argument of the pod holds the address.
func mentions(pod *corev1.Pod, ip string) bool {
	return slices.ContainsFunc(pod.Spec.Containers[0].Args, func(arg string) bool { return strings.Contains(arg, ip+":") })
}

// acquaintance runs the pods that serve, then those that know them by their addresses, and
// closes and opens the ways between them by the recorded policies.
func (b bare) acquaintance(ctx context.Context, first, then []string) error {
	serving, err := b.startAll(ctx, first, nil)
	if err != nil {
		return err
	}
	asking, err := b.startAll(ctx, then, serving)
	if err != nil {
		return err
	}
	var inward, outward []*networkingv1.NetworkPolicy
	for _, policy := range b.objects.policies {
		switch {
		case policy.Spec.PodSelector.MatchLabels[roleLabel] != "server": // proves nothing, but keeps a way open
		case slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress):
			inward = append(inward, policy)
		default:
			outward = append(outward, policy)
		}
	}
	proofs, proving := errgroup.WithContext(ctx)
	proofs.Go(func() error { return named("from a pod to the server", b.prove(proving, inward, asking["client"])) })
	proofs.Go(func() error { return named("from the server outward", b.prove(proving, outward, serving["server"])) })
	for part, name := range asking {
		if part != "client" {
			proofs.Go(func() error { _, err := b.until(proving, name, ended); return err })
		}
	}
	if err := proofs.Wait(); err != nil {
		return err
	}
	removing, ctx := errgroup.WithContext(ctx)
	for _, pods := range []map[string]string{serving, asking} {
		for _, name := range pods {
			removing.Go(func() error { return b.remove(ctx, name) })
		}
	}
	return removing.Wait()
}

// startAll runs recorded pods, with the addresses of those before them, until their containers
// do. It returns their new names by their roles.
func (b bare) startAll(ctx context.Context, names []string, before map[string]string) (map[string]string, error) {
	addresses := map[string]string{}
	for old, owner := range b.objects.addresses {
		if name, known := before[b.objects.pods[owner].Labels[roleLabel]]; known {
			pod, err := b.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			addresses[old] = pod.Status.PodIP
		}
	}
	started := make([]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() error {
			recorded := b.objects.pods[name]
			spec := recorded.Spec.DeepCopy()
			spec.NodeName = ""
			for j, arg := range spec.Containers[0].Args {
				for old, now := range addresses {
					arg = strings.ReplaceAll(arg, old+":", now+":")
				}
				spec.Containers[0].Args[j] = arg
			}
			pod, err := b.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: as(recorded.ObjectMeta), Spec: *spec}, metav1.CreateOptions{})
			if err != nil {
				return err
			}
			started[i] = pod.Name
			_, err = b.until(ctx, pod.Name, func(pod *corev1.Pod) (bool, error) { return pod.Status.Phase != corev1.PodPending, nil })
			return err
		})
	}
	err := group.Wait()
	byRole := map[string]string{}
	for i, name := range names {
		byRole[b.objects.pods[name].Labels[roleLabel]] = started[i]
	}
	return byRole, err
}

// prove makes the policies one after the other, each when a pod's readiness shows what the one
// before it did: the first closes a way, the second opens it again.
func (b bare) prove(ctx context.Context, policies []*networkingv1.NetworkPolicy, watched string) error {
	if len(policies) == 0 || watched == "" {
		return fmt.Errorf("a run without policies, or without the pod that tells what they do")
	}
	if _, err := b.until(ctx, watched, readyIs(true)); err != nil {
		return err
	}
	client := b.client.NetworkingV1().NetworkPolicies(namespace)
	for i, recorded := range policies {
		policy := &networkingv1.NetworkPolicy{ObjectMeta: as(recorded.ObjectMeta), Spec: *recorded.Spec.DeepCopy()}
		ourSelector(&policy.Spec.PodSelector)
		for _, rule := range policy.Spec.Ingress {
			for _, peer := range rule.From {
				ourSelector(peer.PodSelector)
			}
		}
		made, err := client.Create(ctx, policy, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		defer client.Delete(context.WithoutCancel(ctx), made.Name, metav1.DeleteOptions{})
		opens := i > 0
		if _, err := b.until(ctx, watched, readyIs(opens)); err != nil {
			return fmt.Errorf("policy %s changed nothing: %w", made.Name, err)
		}
		if !opens {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(heldClosed):
			}
		}
	}
	return nil
}

// named says of which proof an error is.
func named(proof string, err error) error {
	if err != nil {
		return fmt.Errorf("policies for the way %s: %w", proof, err)
	}
	return nil
}

// ourSelector makes a recorded selector select the replayed pods.
func ourSelector(selector *metav1.LabelSelector) {
	if selector != nil && selector.MatchLabels[managedBy] != "" {
		selector.MatchLabels[managedBy] = replayed
	}
}

// readyIs tells whether a pod's containers are ready, or not; its readiness gates are left out.
func readyIs(ready bool) func(*corev1.Pod) (bool, error) {
	return func(pod *corev1.Pod) (bool, error) {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.ContainersReady {
				return (condition.Status == corev1.ConditionTrue) == ready, nil
			}
		}
		return false, nil
	}
}

func ended(pod *corev1.Pod) (bool, error) {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed, nil
}
