package throwaway

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A node that could not read the pull secret in time pulls without it, is refused, and pulls
// again ten seconds later; one that was refused with the secret in hand will be refused for
// ever. What tells the two apart is an event, which may come after the refusal.
func TestARefusedPullIsFinalOnlyWithThePullSecret(t *testing.T) {
	const refused = "401 Unauthorized"
	for _, c := range []struct {
		name   string
		secret bool
		// unread is when the event comes that the secret could not be read, never if negative.
		unread time.Duration
		// ends is when the wait must end at the latest, and lasts until when it must go on.
		lasts, ends time.Duration
	}{
		{"there is no secret", false, -1, 0, 0},
		{"the node had the secret", true, -1, 2 * time.Second, 5 * time.Second},
		{"the node could not read it", true, 0, 20 * time.Second, 40 * time.Second},
		{"the node could not read it, and says so late", true, 2 * time.Second, 20 * time.Second, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, client := newAPI(t)
			object := func(kind, path, name string, fields map[string]any) {
				fields["kind"], fields["apiVersion"], fields["metadata"] = kind, "v1", map[string]any{"name": name}
				api.mutex.Lock()
				defer api.mutex.Unlock()
				api.store("ADDED", "/api/v1/namespaces/"+namespace+"/"+path+"/"+name, fields)
			}
			event := func(name, reason, message string) {
				object("Event", "events", name, map[string]any{"type": "Warning", "reason": reason, "message": message,
					"involvedObject": map[string]any{"kind": "Pod", "name": "p"}})
			}
			if c.secret {
				object("Secret", "secrets", "registry-pull", map[string]any{})
			}
			event("e0", "Failed", "Failed to pull image: "+refused)
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: namespace}, Status: waiting("ErrImagePull", refused)}
			pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry-pull"}}
			pod.Spec.NodeName = "node1"
			began := time.Now()
			doctor := newPodDoctor(client, began)
			for age := time.Duration(0); ; age += time.Second {
				if age == c.unread {
					event("e1", "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (registry-pull)")
				}
				s, _ := doctor.examine(t.Context(), pod, began.Add(age))
				switch {
				case s == nil && age >= c.ends:
					t.Fatalf("it still waits after %v", age)
				case s == nil:
					continue
				case s.cause != ImageUnauthorized || age < c.lasts:
					t.Fatalf("after %v: %v", age, s)
				case strings.Contains(s.why, unreadWhy) != (c.unread >= 0):
					t.Errorf("why: %s", s.why)
				}
				return
			}
		})
	}
}
