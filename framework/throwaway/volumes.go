package throwaway

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// claimedVolumes returns the names of the PersistentVolumes bound to a run's claims.
func claimedVolumes(ctx context.Context, client Client, namespace, runID string) ([]string, error) {
	claims, err := client.Kube.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector(runID)})
	if err != nil {
		return nil, kubeerr.FromAPI(err, "look for left-over persistentvolumeclaims in "+namespace)
	}
	var names []string
	for _, claim := range claims.Items {
		if claim.Spec.VolumeName != "" {
			names = append(names, claim.Spec.VolumeName)
		}
	}
	return names, nil
}

// volumesGone returns when the provisioner has deleted the volumes. A volume whose reclaim
// policy is Retain stays by its class's wish: the run cannot remove it, and says so.
func volumesGone(ctx context.Context, client Client, names []string) error {
	volumes := client.Kube.CoreV1().PersistentVolumes()
	for _, name := range names {
		volume, err := volumes.Get(ctx, name, metav1.GetOptions{})
		if kubeerr.ReasonOf(err) == kubeerr.NotFound {
			continue
		}
		if err != nil {
			return kubeerr.FromAPI(err, "see that persistentvolume "+name+" is gone")
		}
		t := target[*corev1.PersistentVolume]{kind: "persistentvolumes", name: name, get: volumes.Get, watch: volumes.Watch}
		last, err := follow(ctx, t, volume, func(_ context.Context, v *corev1.PersistentVolume, gone bool) (bool, time.Duration, error) {
			return gone, 0, retained(v)
		})
		if kubeerr.ReasonOf(err) == kubeerr.Interrupted {
			return finding.Failed("the volume of a deleted claim is deleted",
				fmt.Sprintf("persistentvolume %s is still there, phase %s: %s", name, last.Status.Phase, last.Status.Message),
				"the provisioner does not delete it", "see the provisioner's log, then delete the volume").Because(ctx.Err())
		}
		if err != nil {
			return kubeerr.FromAPI(err, "see that persistentvolume "+name+" is gone")
		}
	}
	return nil
}

// retained finds a released volume that nobody will delete.
func retained(volume *corev1.PersistentVolume) error {
	if volume.Status.Phase != corev1.VolumeReleased || volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
		return nil
	}
	return finding.Failed("the volume of a deleted claim is deleted",
		fmt.Sprintf("persistentvolume %s stays: its reclaim policy is Retain", volume.Name),
		fmt.Sprintf("StorageClass %s keeps volumes after their claims", volume.Spec.StorageClassName),
		"a cluster administrator deletes this volume and its data in the storage backend")
}
