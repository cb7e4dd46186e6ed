package throwaway

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/kubeerr"
)

// deviceRequest names the devices in the claim, and the claim in its pod.
const deviceRequest = "devices"

// claimDevices makes a pod use a ResourceClaim from the template that has the pod's name.
func claimDevices(pod *corev1.Pod) {
	pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: deviceRequest, ResourceClaimTemplateName: ptr.To(pod.Name)}}
	container := &pod.Spec.Containers[0]
	container.Resources.Claims = []corev1.ResourceClaim{{Name: deviceRequest}}
}

// deviceTemplate creates the template that claimDevices refers to, if any, and registers its
// deletion. The claims made of it carry the kit's labels and go with their pods.
func (k *Kit) deviceTemplate(ctx context.Context, pod *corev1.Pod, o PodOptions) error {
	if o.DeviceClass == "" {
		return nil
	}
	template := &resourcev1.ResourceClaimTemplate{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels, OwnerReferences: k.run.owner()},
		Spec: resourcev1.ResourceClaimTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels},
			Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{Requests: []resourcev1.DeviceRequest{{
				Name: deviceRequest,
				Exactly: &resourcev1.ExactDeviceRequest{
					DeviceClassName: o.DeviceClass,
					AllocationMode:  resourcev1.DeviceAllocationModeExactCount,
					Count:           max(o.DeviceCount, 1),
				},
			}}}},
		},
	}
	templates := k.client.Kube.ResourceV1().ResourceClaimTemplates(k.Namespace())
	k.deleteAfter("resourceclaimtemplate", template.Name, templates.Delete)
	_, err := templates.Create(ctx, template, metav1.CreateOptions{})
	if err != nil {
		return kubeerr.FromAPI(err, "create the throwaway resourceclaimtemplate "+template.Name)
	}
	return nil
}
