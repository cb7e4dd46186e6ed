package throwaway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// pageSize is how many objects one list request returns.
const pageSize = 500

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// kinds is everything that a run may create, in the order in which it is deleted: policies
// first, since they change other pods' network; users of a thing before the thing; the Lease
// last, so that an interrupted removal is found and finished by the next.
var kinds = []schema.GroupVersionResource{
	{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	HTTPRoutes,
	IngressRouteTCPs,
	{Group: "batch", Version: "v1", Resource: "jobs"},
	{Version: "v1", Resource: "pods"},
	{Group: "resource.k8s.io", Version: "v1", Resource: "resourceclaims"},
	{Group: "resource.k8s.io", Version: "v1", Resource: "resourceclaimtemplates"},
	{Version: "v1", Resource: "services"},
	{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "secrets"},
	leases,
}

// leftovers is one kind's objects with our label, and from when to watch them go.
type leftovers struct {
	kind            schema.GroupVersionResource
	objects         []metav1.PartialObjectMetadata
	resourceVersion string
}

// remove deletes a run's objects and returns when all are gone, and the volumes of its
// claims too. It returns "kind/name" of what it found. A kind that cannot be listed or deleted
// does not keep it from the others; the first such error is returned.
func remove(ctx context.Context, client Client, namespace, runID string) ([]string, error) {
	volumes, failed := claimedVolumes(ctx, client, namespace, runID)
	var removed []string
	var present []leftovers
	for _, kind := range kinds {
		left, err := list(ctx, client, kind, namespace, selector(runID))
		if err == nil && len(left.objects) > 0 {
			err = left.delete(ctx, client, namespace)
			present = append(present, left)
		}
		failed = firstOf(failed, err)
		for _, object := range left.objects {
			removed = append(removed, kind.Resource+"/"+object.Name)
		}
	}
	if failed != nil {
		return removed, failed // what could not be deleted would be waited for in vain
	}
	for _, left := range present {
		if err := left.gone(ctx, client, namespace, selector(runID)); err != nil {
			return removed, err
		}
	}
	return removed, volumesGone(ctx, client, volumes)
}

// list returns the objects of a kind that labels select. A kind that the API server does not
// serve has none.
func list(ctx context.Context, client Client, kind schema.GroupVersionResource, namespace, labels string) (leftovers, error) {
	found := leftovers{kind: kind}
	options := metav1.ListOptions{LabelSelector: labels, Limit: pageSize}
	for {
		page, err := client.Meta.Resource(kind).Namespace(namespace).List(ctx, options)
		switch reason := kubeerr.ReasonOf(err); {
		case reason == kubeerr.NotServed, reason == kubeerr.NotFound:
			return found, nil
		case err != nil:
			return found, kubeerr.FromAPI(err, fmt.Sprintf("look for left-over %s in %s", kind.Resource, namespace))
		}
		found.objects = append(found.objects, page.Items...)
		found.resourceVersion = page.ResourceVersion
		if options.Continue = page.Continue; options.Continue == "" {
			return found, nil
		}
	}
}

func (l leftovers) delete(ctx context.Context, client Client, namespace string) (failed error) {
	for _, object := range l.objects {
		err := client.Meta.Resource(l.kind).Namespace(namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
			PropagationPolicy: ptr.To(metav1.DeletePropagationBackground),
			// Never a newer object that took the name meanwhile.
			Preconditions: &metav1.Preconditions{UID: ptr.To(object.UID)},
		})
		if reason := kubeerr.ReasonOf(err); err != nil && reason != kubeerr.NotFound && reason != kubeerr.Conflict {
			failed = firstOf(failed, kubeerr.FromAPI(err, fmt.Sprintf("delete %s %s/%s", l.kind.Resource, namespace, object.Name)))
		}
	}
	return failed
}

// gone watches until none of l's objects is left, and finds those that stay.
func (l leftovers) gone(ctx context.Context, client Client, namespace, labels string) error {
	waiting := map[string]metav1.PartialObjectMetadata{}
	for _, object := range l.objects {
		waiting[object.Name] = object
	}
	resource := client.Meta.Resource(l.kind).Namespace(namespace)
	for len(waiting) > 0 {
		watcher, err := retryWatch(ctx, l.resourceVersion, labels, "", resource.Watch)
		if err == nil {
			err = l.drain(ctx, watcher, waiting)
		}
		if len(waiting) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return remains(l.kind.Resource, waiting, ctx.Err())
		}
		if err != nil && kubeerr.ReasonOf(err) == kubeerr.MissingRight {
			return kubeerr.LackingRight(err, "watch", l.kind.Resource, "see that the run's "+l.kind.Resource+" are gone")
		}
		// The watch's place is too old: look again and go on from there.
		again, err := list(ctx, client, l.kind, namespace, labels)
		if err != nil {
			return err
		}
		l.resourceVersion = again.resourceVersion
		for name := range waiting {
			if !slices.ContainsFunc(again.objects, func(o metav1.PartialObjectMetadata) bool { return o.Name == name }) {
				delete(waiting, name)
			}
		}
	}
	return nil
}

// drain strikes from waiting what the watch reports as deleted, until all is or it ends.
func (l leftovers) drain(ctx context.Context, watcher watch.Interface, waiting map[string]metav1.PartialObjectMetadata) error {
	defer watcher.Stop()
	for len(waiting) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-watcher.ResultChan():
			if !open {
				return nil
			}
			if event.Type == watch.Error {
				return statusError(event.Object)
			}
			object, ok := event.Object.(*metav1.PartialObjectMetadata)
			if !ok {
				continue
			}
			if event.Type == watch.Deleted {
				delete(waiting, object.Name)
			} else if _, mine := waiting[object.Name]; mine {
				waiting[object.Name] = *object
			}
		}
	}
	return nil
}

// remains words what a removal left behind.
func remains(resource string, waiting map[string]metav1.PartialObjectMetadata, cause error) error {
	var names []string
	held := ""
	for name, object := range waiting {
		names = append(names, name)
		if len(object.Finalizers) > 0 {
			held = fmt.Sprintf("; finalizers hold %s: %s", name, strings.Join(object.Finalizers, ", "))
		}
	}
	slices.Sort(names)
	return finding.Failed("every throwaway object is gone after the run",
		fmt.Sprintf("%s still there: %s%s", resource, strings.Join(names, ", "), held),
		"the component that removes the objects (kubelet, provisioner, garbage collector) does not",
		"see these objects' events, then run `runner cleanup`").Because(cause)
}
