package throwaway

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The scheduler says nothing while it waits for a volume: what it said before stands on in
// the pod's status, and is no reason any more.
func TestWhatTheSchedulerSaidBeforeIsNoReason(t *testing.T) {
	missing := `0/2 nodes are available: persistentvolumeclaim "c" not found. not found`
	chosen := map[string]any{selectedNode: "node1"}
	for _, c := range []struct {
		name, message string
		claim         map[string]any // nil: there is none
		ends          bool
	}{
		{"claim seen late, then waited for", missing, claimObject("Pending", chosen), false},
		{"claim seen late", missing, claimObject("Pending", nil), false},
		{"claim missing", missing, nil, true},
		{"room was made, then the volume waited for", "0/2 nodes are available: 2 Insufficient cpu.", claimObject("Pending", chosen), false},
		{"no room, no node chosen", "0/2 nodes are available: 2 Insufficient cpu.", claimObject("Pending", nil), true},
		{"no room where the volume is", "0/2 nodes are available: 2 Insufficient cpu.", claimObject("Bound", chosen), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, client := newAPI(t)
			if c.claim != nil {
				api.mutex.Lock()
				api.store("ADDED", "/api/v1/namespaces/"+namespace+"/persistentvolumeclaims/c", c.claim)
				api.mutex.Unlock()
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: namespace}, Status: unscheduled(c.message)}
			pod.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}}}
			began := time.Now()
			doctor := newPodDoctor(client, began)
			if s, _ := doctor.examine(t.Context(), pod, began); s != nil {
				t.Fatalf("at once: %v", s)
			}
			s, again := doctor.examine(t.Context(), pod, began.Add(schedulerGrace+time.Second))
			if (s != nil) != c.ends {
				t.Errorf("got %v", s)
			}
			if s == nil && again <= 0 {
				t.Error("nobody looks again")
			}
		})
	}
}

func claimObject(phase string, annotations map[string]any) map[string]any {
	return map[string]any{"kind": "PersistentVolumeClaim", "apiVersion": "v1",
		"metadata": map[string]any{"name": "c", "annotations": annotations}, "status": map[string]any{"phase": phase}}
}
