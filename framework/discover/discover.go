// Package discover looks around a cluster for what an answers file asks for. It only reads, a page
// at a time, and what it may not read it leaves out and says so. What it finds is what is there,
// not what should be: the customer confirms it.
package discover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/answers"
)

// pageSize is how many objects are asked for at once: a cluster may have 5,000 nodes.
const pageSize = 500

// Run returns what the cluster tells about itself, and a line for everything that could not be
// found out. An empty namespace leaves out what belongs to one.
func Run(ctx context.Context, client kubernetes.Interface, namespace string) (answers.Discovered, []string) {
	f := &finder{client: client, namespace: namespace}
	f.found.Namespace = namespace
	f.try(ctx, "the version", f.version)
	f.try(ctx, "the nodes", f.nodes)
	f.try(ctx, "the RuntimeClass "+gpuRuntimeClass, f.runtimeClass)
	f.try(ctx, "the StorageClasses", f.storageClasses)
	f.try(ctx, "the IngressClasses", f.ingressClasses)
	f.try(ctx, "the cluster's extensions", f.extensions)
	if namespace == "" {
		f.warn("what belongs to a namespace", "none was named: use --namespace")
		return f.found, f.warnings
	}
	f.try(ctx, "the namespace", f.namespaced)
	f.try(ctx, "the quotas", f.quotas)
	f.try(ctx, "the limit ranges", f.limits)
	f.try(ctx, "the default service account", f.serviceAccount)
	f.try(ctx, "the Ingresses", f.ingresses)
	return f.found, f.warnings
}

type finder struct {
	client    kubernetes.Interface
	namespace string
	found     answers.Discovered
	warnings  []string
}

func (f *finder) warn(what, why string) {
	f.warnings = append(f.warnings, what+": "+why)
}

// try runs one step and turns its error into a warning.
func (f *finder) try(ctx context.Context, what string, step func(context.Context) error) {
	err := step(ctx)
	switch {
	case err == nil:
	case apierrors.IsForbidden(err):
		f.warn(what, "these credentials may not read them ("+err.Error()+")")
	default:
		f.warn(what, err.Error())
	}
}

// pages calls list until it has seen all pages; list returns the mark of the next one.
func pages(list func(metav1.ListOptions) (next string, err error)) error {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		next, err := list(options)
		if err != nil || next == "" {
			return err
		}
		options.Continue = next
	}
}

func (f *finder) version(context.Context) error {
	info, err := f.client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	// Some providers write the minor version as "33+".
	f.found.Version = info.Major + "." + strings.TrimRight(info.Minor, "+")
	return nil
}

func (f *finder) storageClasses(ctx context.Context) error {
	return pages(func(options metav1.ListOptions) (string, error) {
		list, err := f.client.StorageV1().StorageClasses().List(ctx, options)
		if err != nil {
			return "", err
		}
		for _, class := range list.Items {
			f.found.StorageClasses = append(f.found.StorageClasses, answers.DiscoveredStorageClass{
				Name: class.Name, Provisioner: class.Provisioner,
				Default:    class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true",
				Expandable: class.AllowVolumeExpansion != nil && *class.AllowVolumeExpansion,
			})
		}
		return list.Continue, nil
	})
}

func (f *finder) ingressClasses(ctx context.Context) error {
	return pages(func(options metav1.ListOptions) (string, error) {
		list, err := f.client.NetworkingV1().IngressClasses().List(ctx, options)
		if err != nil {
			return "", err
		}
		for _, class := range list.Items {
			f.found.IngressClasses = append(f.found.IngressClasses, answers.DiscoveredIngressClass{
				Name: class.Name, Controller: class.Spec.Controller,
				Default: class.Annotations["ingressclass.kubernetes.io/is-default-class"] == "true",
			})
		}
		return list.Continue, nil
	})
}

func (f *finder) namespaced(ctx context.Context) error {
	namespace, err := f.client.CoreV1().Namespaces().Get(ctx, f.namespace, metav1.GetOptions{})
	if err != nil {
		return err
	}
	f.found.PodSecurity = namespace.Labels["pod-security.kubernetes.io/enforce"]
	return nil
}

// quotas finds the tightest quota of storage.
func (f *finder) quotas(ctx context.Context) error {
	var tightest *resource.Quantity
	err := pages(func(options metav1.ListOptions) (string, error) {
		list, err := f.client.CoreV1().ResourceQuotas(f.namespace).List(ctx, options)
		if err != nil {
			return "", err
		}
		for _, quota := range list.Items {
			tightest = smaller(tightest, quota.Spec.Hard, corev1.ResourceRequestsStorage)
		}
		return list.Continue, nil
	})
	if tightest != nil {
		f.found.NamespaceTotal = tightest.String()
	}
	return err
}

// limits finds the largest claim that is allowed.
func (f *finder) limits(ctx context.Context) error {
	var tightest *resource.Quantity
	err := pages(func(options metav1.ListOptions) (string, error) {
		list, err := f.client.CoreV1().LimitRanges(f.namespace).List(ctx, options)
		if err != nil {
			return "", err
		}
		for _, limits := range list.Items {
			for _, limit := range limits.Spec.Limits {
				if limit.Type == corev1.LimitTypePersistentVolumeClaim {
					tightest = smaller(tightest, limit.Max, corev1.ResourceStorage)
				}
			}
		}
		return list.Continue, nil
	})
	if tightest != nil {
		f.found.MaxClaim = tightest.String()
	}
	return err
}

// smaller returns the smaller of a and what list says of name.
func smaller(a *resource.Quantity, list corev1.ResourceList, name corev1.ResourceName) *resource.Quantity {
	if b, there := list[name]; there && (a == nil || b.Cmp(*a) < 0) {
		return &b
	}
	return a
}

func (f *finder) serviceAccount(ctx context.Context) error {
	account, err := f.client.CoreV1().ServiceAccounts(f.namespace).Get(ctx, "default", metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, secret := range account.ImagePullSecrets {
		f.found.PullSecrets = append(f.found.PullSecrets, secret.Name)
	}
	return nil
}

// ingresses collects the addresses under which the namespace's Ingresses are reached.
func (f *finder) ingresses(ctx context.Context) error {
	return pages(func(options metav1.ListOptions) (string, error) {
		list, err := f.client.NetworkingV1().Ingresses(f.namespace).List(ctx, options)
		if err != nil {
			return "", err
		}
		for _, ingress := range list.Items {
			for _, point := range ingress.Status.LoadBalancer.Ingress {
				if point.IP != "" && !slices.Contains(f.found.IngressAddresses, point.IP) {
					f.found.IngressAddresses = append(f.found.IngressAddresses, point.IP)
				}
			}
		}
		return list.Continue, nil
	})
}

// describeCounts names the numbers that differ between nodes: "4 and 8".
func describeCounts(counts []int) string {
	slices.Sort(counts)
	var words []string
	for _, n := range slices.Compact(counts) {
		words = append(words, fmt.Sprint(n))
	}
	return strings.Join(words, " and ")
}
