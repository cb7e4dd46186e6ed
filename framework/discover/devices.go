package discover

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// gpuRuntimeClass is the RuntimeClass that NVIDIA's GPU operator makes.
const gpuRuntimeClass = "nvidia"

// runtimeClass asks for one class by its name, so that the right to read the others is not needed.
func (f *finder) runtimeClass(ctx context.Context) error {
	_, err := f.client.NodeV1().RuntimeClasses().Get(ctx, gpuRuntimeClass, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		f.found.GPU.RuntimeClass = gpuRuntimeClass
	}
	return err
}

// channelClass begins the names of NVIDIA's classes for links between nodes, which are no GPUs.
const channelClass = "compute-domain"

// deviceClasses finds the classes of GPUs that pods can claim. A cluster that serves the API in
// an older version only has none that the suite could use.
func (f *finder) deviceClasses(ctx context.Context) error {
	err := pages(func(options metav1.ListOptions) (string, error) {
		list, err := f.client.ResourceV1().DeviceClasses().List(ctx, options)
		if err != nil {
			return "", err
		}
		for _, class := range list.Items {
			if strings.Contains(class.Name, "gpu") || strings.HasSuffix(class.Name, "nvidia.com") && !strings.HasPrefix(class.Name, channelClass) {
				f.found.GPU.DeviceClasses = append(f.found.GPU.DeviceClasses, class.Name)
			}
		}
		return list.Continue, nil
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// gpuOperator finds the operator's version in the labels that its chart puts on its one object.
func (f *finder) gpuOperator(ctx context.Context) error {
	return f.objects(ctx, "/apis/nvidia.com/v1/clusterpolicies", func(o object) {
		if version := o.Metadata.Labels["app.kubernetes.io/version"]; version != "" {
			f.found.GPU.OperatorVersion = version
		}
	})
}
