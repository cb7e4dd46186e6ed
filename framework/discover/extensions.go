package discover

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/framework/answers"
)

// object is what is read of a custom resource; their Go types would be dependencies for a few words.
type object struct {
	Metadata metav1.ObjectMeta
	Spec     struct {
		ServiceMonitorSelector *metav1.LabelSelector
	}
}

// extensions finds what is served beyond Kubernetes itself.
func (f *finder) extensions(ctx context.Context) error {
	groups, err := f.client.Discovery().ServerGroups()
	if err != nil {
		return err
	}
	served := map[string]bool{}
	for _, group := range groups.Groups {
		served[group.Name] = true
	}
	f.found.Velero = served["velero.io"]
	operator := served["monitoring.coreos.com"]
	f.found.Prometheus.Operator = &operator
	if operator {
		f.try(ctx, "the Prometheus objects", f.prometheus)
	}
	if served["snapshot.storage.k8s.io"] {
		f.try(ctx, "the VolumeSnapshotClasses", f.snapshotClasses)
	}
	if served["nvidia.com"] {
		f.try(ctx, "the GPU operator's ClusterPolicy", f.gpuOperator)
	}
	if served["resource.k8s.io"] {
		f.try(ctx, "the DeviceClasses", f.deviceClasses)
	}
	return nil
}

func (f *finder) prometheus(ctx context.Context) error {
	return f.objects(ctx, "/apis/monitoring.coreos.com/v1/prometheuses", func(o object) {
		if f.found.Prometheus.Namespace != "" {
			f.warn("Prometheus", fmt.Sprintf("there is another one in namespace %s", o.Metadata.Namespace))
			return
		}
		f.found.Prometheus = answers.DiscoveredPrometheus{
			Operator: f.found.Prometheus.Operator, Namespace: o.Metadata.Namespace, ReleaseName: o.Metadata.Labels["release"],
		}
		if selector := o.Spec.ServiceMonitorSelector; selector != nil && selector.MatchLabels["release"] != "" {
			f.found.Prometheus.ReleaseName = selector.MatchLabels["release"]
		}
	})
}

func (f *finder) snapshotClasses(ctx context.Context) error {
	return f.objects(ctx, "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses", func(o object) {
		if o.Metadata.Annotations["snapshot.storage.kubernetes.io/is-default-class"] == "true" {
			f.found.SnapshotClasses = append([]string{o.Metadata.Name}, f.found.SnapshotClasses...)
			return
		}
		f.found.SnapshotClasses = append(f.found.SnapshotClasses, o.Metadata.Name)
	})
}

// objects calls visit for all custom resources at a path.
func (f *finder) objects(ctx context.Context, path string, visit func(object)) error {
	client := f.client.Discovery().RESTClient()
	return pages(func(options metav1.ListOptions) (string, error) {
		text, err := client.Get().AbsPath(path).Param("limit", fmt.Sprint(options.Limit)).Param("continue", options.Continue).DoRaw(ctx)
		if err != nil {
			return "", err
		}
		var list struct {
			Metadata metav1.ListMeta
			Items    []object
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return "", fmt.Errorf("the API server's answer at %s: %w", path, err)
		}
		for _, item := range list.Items {
			visit(item)
		}
		return list.Metadata.Continue, nil
	})
}
