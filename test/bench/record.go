package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

const (
	namespace = "jupyterhub-prod"
	managedBy = "app.kubernetes.io/managed-by"
	// ours selects what a run makes; replayed is what is made again.
	ours     = managedBy + "=aiv-conformance"
	replayed = "bench"
	// roleLabel tells the pods of one item apart.
	roleLabel = "conformance.aiv.internal/role"
	// itemLabel holds the ID of the item that a pod is for.
	itemLabel = "conformance.aiv.internal/item"
)

// recorded is what one run made, by name without the random end.
type recorded struct {
	pods   map[string]*corev1.Pod
	claims map[string]*corev1.PersistentVolumeClaim
	// policies are in the order in which they were made.
	policies []*networkingv1.NetworkPolicy
	// addresses are the pods' names by their IP addresses.
	addresses map[string]string
	// grown is the size to which each claim was grown.
	grown map[string]corev1.ResourceList
}

// record watches while run makes its objects.
func record(ctx context.Context, client kubernetes.Interface, run func() error) (*recorded, error) {
	options := metav1.ListOptions{LabelSelector: ours}
	pods, err := client.CoreV1().Pods(namespace).Watch(ctx, options)
	if err != nil {
		return nil, err
	}
	claims, err := client.CoreV1().PersistentVolumeClaims(namespace).Watch(ctx, options)
	if err != nil {
		return nil, err
	}
	policies, err := client.NetworkingV1().NetworkPolicies(namespace).Watch(ctx, options)
	if err != nil {
		return nil, err
	}
	r := &recorded{pods: map[string]*corev1.Pod{}, claims: map[string]*corev1.PersistentVolumeClaim{}, addresses: map[string]string{}, grown: map[string]corev1.ResourceList{}}
	var reading sync.WaitGroup
	reading.Go(func() {
		for event := range pods.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if ok && event.Type == watch.Added {
				r.pods[role(pod.Name)] = pod
			}
			if ok && pod.Status.PodIP != "" {
				r.addresses[pod.Status.PodIP] = role(pod.Name)
			}
		}
	})
	reading.Go(func() {
		for event := range claims.ResultChan() {
			claim, ok := event.Object.(*corev1.PersistentVolumeClaim)
			switch {
			case ok && event.Type == watch.Added:
				r.claims[role(claim.Name)] = claim
			case ok && event.Type == watch.Modified:
				first := r.claims[role(claim.Name)].Spec.Resources.Requests
				if now := claim.Spec.Resources.Requests; now.Storage().Cmp(*first.Storage()) > 0 {
					r.grown[role(claim.Name)] = now
				}
			}
		}
	})
	reading.Go(func() {
		for event := range policies.ResultChan() {
			if policy, ok := event.Object.(*networkingv1.NetworkPolicy); ok && event.Type == watch.Added {
				r.policies = append(r.policies, policy)
			}
		}
	})
	err = run()
	pods.Stop()
	claims.Stop()
	policies.Stop()
	reading.Wait()
	if err == nil && len(r.pods) == 0 {
		err = fmt.Errorf("the run made no pods: nothing to compare with")
	}
	return r, err
}

// role is an object's name without its random end.
func role(name string) string { return name[:strings.LastIndexByte(name, '-')] }

// as returns the metadata of a new object like this one: owned by nobody, named anew.
func as(meta metav1.ObjectMeta) metav1.ObjectMeta {
	labels := map[string]string{}
	for key, value := range meta.Labels {
		labels[key] = value
	}
	labels[managedBy] = replayed
	return metav1.ObjectMeta{GenerateName: role(meta.Name) + "-", Namespace: meta.Namespace, Labels: labels}
}

// sweep removes the policies and pods that an interrupted comparison left.
func sweep(ctx context.Context, client kubernetes.Interface) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	left := metav1.ListOptions{LabelSelector: managedBy + "=" + replayed}
	if err := client.NetworkingV1().NetworkPolicies(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, left); err != nil {
		fmt.Fprintln(os.Stderr, "bench: policies may be left:", err)
	}
	if err := client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, left); err != nil {
		fmt.Fprintln(os.Stderr, "bench: pods may be left:", err)
	}
}
