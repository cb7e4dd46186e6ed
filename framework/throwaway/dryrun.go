package throwaway

import (
	"context"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"aiv.internal/conformance/framework/kubeerr"
)

// clusterScoped are the kinds that a dry run creates without a namespace.
var clusterScoped = map[string]bool{
	"ClusterRole": true, "ClusterRoleBinding": true, "PriorityClass": true, "Namespace": true, "StorageClass": true,
}

// DryRun asks the API server to create object, with admission, quota and all, and to keep
// nothing. The object is typed or unstructured; its namespace is the run's if it has none.
// The error is a finding that says who refused.
func (k *Kit) DryRun(ctx context.Context, object runtime.Object) error {
	_, err := k.DryRunResult(ctx, object)
	return err
}

// DryRunResult is DryRun that also returns the object as admission would have changed it.
func (k *Kit) DryRunResult(ctx context.Context, object runtime.Object) (map[string]any, error) {
	candidate, kind, err := asUnstructured(object)
	if err != nil {
		return nil, err
	}
	labels := candidate.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, k.Labels())
	candidate.SetLabels(labels)
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	resource := k.client.Dynamic.Resource(plural)
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	doing := fmt.Sprintf("dry-run create of %s %s", kind.Kind, candidate.GetName())
	ctx, cancel := limited(ctx)
	defer cancel()
	if clusterScoped[kind.Kind] {
		result, err := resource.Create(ctx, candidate, options)
		if err != nil {
			return nil, kubeerr.FromAPI(err, doing)
		}
		return result.Object, nil
	}
	if candidate.GetNamespace() == "" {
		candidate.SetNamespace(k.Namespace())
	}
	result, err := resource.Namespace(candidate.GetNamespace()).Create(ctx, candidate, options)
	if err != nil {
		return nil, kubeerr.FromAPI(err, doing+" in "+candidate.GetNamespace())
	}
	return result.Object, nil
}

// asUnstructured returns a copy of object for the dynamic client, and its kind.
func asUnstructured(object runtime.Object) (*unstructured.Unstructured, schema.GroupVersionKind, error) {
	if u, already := object.(*unstructured.Unstructured); already {
		return u.DeepCopy(), u.GroupVersionKind(), nil
	}
	kind, err := kindOf(object)
	if err != nil {
		return nil, kind, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, kind, fmt.Errorf("convert %s for a dry run: %w", kind.Kind, err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kind)
	return u, kind, nil
}

// kindOf returns the kind of a typed object, which does not carry it itself.
func kindOf(object runtime.Object) (schema.GroupVersionKind, error) {
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		return schema.GroupVersionKind{}, fmt.Errorf("%T is no kind that client-go knows: %w", object, err)
	}
	return kinds[0], nil
}
