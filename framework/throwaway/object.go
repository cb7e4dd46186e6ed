package throwaway

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"aiv.internal/conformance/framework/kubeerr"
)

// Kinds that this package makes without a Go type of theirs: routes to a throwaway backend.
var (
	HTTPRoutes       = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	IngressRouteTCPs = schema.GroupVersionResource{Group: "traefik.io", Version: "v1alpha1", Resource: "ingressroutetcps"}
)

// routeKinds are the names of these kinds.
var routeKinds = map[schema.GroupVersionResource]string{HTTPRoutes: "HTTPRoute", IngressRouteTCPs: "IngressRouteTCP"}

// Object is a throwaway object of a kind that only the cluster knows.
type Object struct {
	kit      *Kit
	resource schema.GroupVersionResource
	last     *unstructured.Unstructured
}

// Object creates an object of one of the kinds above, with this spec, and registers its
// deletion. A kind that the cluster does not serve is a finding whose cause says so.
func (k *Kit) Object(ctx context.Context, resource schema.GroupVersionResource, name string, spec map[string]any) (*Object, error) {
	kind, known := routeKinds[resource]
	if !known || !slices.Contains(kinds, resource) {
		return nil, fmt.Errorf("%s would stay behind after a killed run: no kind of throwaway objects", resource.Resource)
	}
	meta := k.meta(name, nil)
	metadata, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&meta)
	if err != nil {
		return nil, fmt.Errorf("convert the metadata of %s: %w", kind, err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "spec": runtime.DeepCopyJSON(spec)}}
	object.SetGroupVersionKind(resource.GroupVersion().WithKind(kind))
	if err := k.run.mayCreate(kind + " " + meta.Name); err != nil {
		return nil, err
	}
	objects := k.client.Dynamic.Resource(resource).Namespace(k.Namespace())
	k.deleteAfter(kind, meta.Name, func(ctx context.Context, name string, options metav1.DeleteOptions) error {
		return objects.Delete(ctx, name, options)
	})
	created, err := objects.Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return nil, kubeerr.FromAPI(err, fmt.Sprintf("create the throwaway %s %s", kind, meta.Name))
	}
	return &Object{kit: k, resource: resource, last: created}, nil
}

// Name returns the object's name.
func (o *Object) Name() string { return o.last.GetName() }

// Until waits until its controller has brought the object to where reached says so, and
// returns its content as last seen; ctx's end is no error of its own, only not reached. An API
// server that is out of reach then is one: what was seen last is old.
func (o *Object) Until(ctx context.Context, reached func(content map[string]any) bool) (map[string]any, bool, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	objects := o.kit.client.Dynamic.Resource(o.resource).Namespace(o.last.GetNamespace())
	done := false
	var err error
	o.last, err = follow(ctx, target[*unstructured.Unstructured]{
		kind: o.resource.Resource, name: o.last.GetName(),
		get: func(ctx context.Context, name string, options metav1.GetOptions) (*unstructured.Unstructured, error) {
			return objects.Get(ctx, name, options)
		},
		watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return objects.Watch(ctx, options)
		},
	}, o.last, func(_ context.Context, object *unstructured.Unstructured, gone bool) (bool, time.Duration, error) {
		done = !gone && reached(object.Object)
		return gone || done, 0, nil
	})
	if err != nil && kubeerr.ReasonOf(err) != kubeerr.Interrupted {
		return o.last.Object, false, kubeerr.FromAPI(err, fmt.Sprintf("read the status of %s %s", o.resource.Resource, o.last.GetName()))
	}
	return o.last.Object, done, nil
}
