package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

const (
	namespace = "jupyterhub-prod"
	// ours selects what a run makes.
	ours = "app.kubernetes.io/managed-by=aiv-conformance"
)

// recorded is what one run made, by name without the random end.
type recorded struct {
	pods   map[string]*corev1.Pod
	claims map[string]*corev1.PersistentVolumeClaim
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
	r := &recorded{pods: map[string]*corev1.Pod{}, claims: map[string]*corev1.PersistentVolumeClaim{}, grown: map[string]corev1.ResourceList{}}
	var reading sync.WaitGroup
	reading.Go(func() {
		for event := range pods.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == watch.Added {
				r.pods[role(pod.Name)] = pod
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
	err = run()
	pods.Stop()
	claims.Stop()
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
	labels["app.kubernetes.io/managed-by"] = "bench"
	return metav1.ObjectMeta{GenerateName: role(meta.Name) + "-", Namespace: meta.Namespace, Labels: labels}
}

// sweep removes the pods that an interrupted comparison left.
func sweep(ctx context.Context, client kubernetes.Interface) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	left := metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=bench"}
	if err := client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, left); err != nil {
		fmt.Fprintln(os.Stderr, "bench: pods may be left:", err)
	}
}
