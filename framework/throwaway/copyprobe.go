package throwaway

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

const (
	// CopiedProbe is where a pod with CopyProbe has the probe; its dynamically linked parts lie
	// beside it.
	CopiedProbe = copyFolder + "/probe"
	copyFolder  = "/conformance"
	// copierName is the name of the init container that copies the probe.
	copierName = "copy-probe"
	// copySize bounds the copies: the probe may take 12 MB, and its GPU part half as much.
	copySize = "48Mi"
)

// copyProbe gives a pod an init container of the run's image that copies the probe to where
// the pod's own container finds it. An image of the customer's, whatever it holds, is probed
// unchanged that way.
func copyProbe(pod *corev1.Pod, image string) {
	const volume = "conformance"
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse(copySize))}}})
	container := &pod.Spec.Containers[0]
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: copyFolder, ReadOnly: true})
	pod.Spec.InitContainers = []corev1.Container{{
		Name:                     copierName,
		Image:                    image,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Command:                  []string{"/probe"},
		Args:                     []string{"copy", copyFolder},
		Resources:                littleResources(),
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		SecurityContext:          container.SecurityContext.DeepCopy(),
		VolumeMounts:             []corev1.VolumeMount{{Name: volume, MountPath: copyFolder}},
	}}
}
