package throwaway

import (
	"context"
	"testing"
	"time"
)

// A node that could not read the pull secret in time pulls without it, is refused, and pulls
// again; one that was refused with the secret in hand will be refused for ever.
func TestARefusedPullIsFinalOnlyWithThePullSecret(t *testing.T) {
	for name, unread := range map[string]bool{"the node had the secret": false, "the node could not read it": true} {
		t.Run(name, func(t *testing.T) {
			api, client := newAPI(t)
			k, _ := kit(begin(t, client, "r1"), "5.1.6")
			p, err := k.Pod(t.Context(), PodOptions{})
			if err != nil {
				t.Fatal(err)
			}
			api.mutex.Lock()
			api.store("ADDED", "/api/v1/namespaces/"+namespace+"/secrets/registry-pull", map[string]any{
				"kind": "Secret", "apiVersion": "v1", "metadata": map[string]any{"name": "registry-pull"}})
			if unread {
				api.store("ADDED", "/api/v1/namespaces/"+namespace+"/events/e1", map[string]any{
					"kind": "Event", "apiVersion": "v1", "metadata": map[string]any{"name": "e1"}, "type": "Warning",
					"reason":         "FailedToRetrieveImagePullSecret",
					"involvedObject": map[string]any{"kind": "Pod", "name": p.Name(), "uid": string(p.last.UID)}})
			}
			api.mutex.Unlock()
			api.change(podPath(p), func(pod map[string]any) {
				set(pod, map[string]any{"phase": "Pending", "containerStatuses": []any{map[string]any{"name": containerName,
					"state": map[string]any{"waiting": map[string]any{"reason": "ErrImagePull", "message": "401 Unauthorized"}}}}})
			})
			go func() {
				time.Sleep(300 * time.Millisecond)
				api.change(podPath(p), func(pod map[string]any) {
					set(pod, map[string]any{"phase": "Running", "containerStatuses": []any{map[string]any{"name": containerName,
						"state": map[string]any{"running": map[string]any{}}}}})
				})
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err = p.Running(ctx)
			switch {
			case unread && err != nil:
				t.Errorf("the second pull went well, but: %v", err)
			case !unread && CauseOf(err) != ImageUnauthorized:
				t.Errorf("got %v", err)
			}
		})
	}
}
