// Package seed fills a new cluster with what a customer's has: cluster DNS, storage classes,
// the namespace with its quota and limits, the runner's service account and its rights.
// Everything goes through server-side apply, so that seeding twice changes nothing.
package seed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"aiv.internal/conformance/cmd/lab/process"
)

// fieldManager is the name under which the lab owns fields.
const fieldManager = "aiv-lab"

// Cluster is the lab's cluster as its administrator sees it.
type Cluster struct {
	Client  kubernetes.Interface
	Dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

// Connect returns the cluster of that configuration. It asks nothing yet.
func Connect(config *rest.Config) (*Cluster, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	return &Cluster{Client: client, Dynamic: dynamicClient, mapper: mapper}, nil
}

// Apply applies every object of the YAML documents. An object that belongs to a namespace
// and names none goes into namespace.
func (c *Cluster) Apply(ctx context.Context, namespace string, documents []byte) error {
	objects, err := parse(documents)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := c.applyOne(ctx, namespace, object); err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// ApplyFiles applies all YAML files of a folder, in the order of their names.
func (c *Cluster) ApplyFiles(ctx context.Context, namespace, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := c.Apply(ctx, namespace, content); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func (c *Cluster) applyOne(ctx context.Context, namespace string, object *unstructured.Unstructured) error {
	var last error
	err := process.Until(ctx, func(ctx context.Context) error {
		last = c.tryOne(ctx, namespace, object)
		if passing(last) {
			return last
		}
		return nil
	})
	return errors.Join(err, final(last))
}

// passing says whether an error goes away by itself in a cluster that starts: a definition
// is not served yet, or a namespace has just been made.
func passing(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServerTimeout(err) || apierrors.IsNotFound(err)
}

func final(err error) error {
	if passing(err) {
		return nil // the wait's own error holds it
	}
	return err
}

func (c *Cluster) tryOne(ctx context.Context, namespace string, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		c.mapper.Reset()
		return err
	}
	var resource dynamic.ResourceInterface = c.Dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if object.GetNamespace() != "" {
			namespace = object.GetNamespace()
		}
		resource = c.Dynamic.Resource(mapping.Resource).Namespace(namespace)
	}
	_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}

func parse(documents []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(documents), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}
