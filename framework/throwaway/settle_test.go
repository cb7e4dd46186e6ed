package throwaway

import (
	"testing"
	"time"
)

// A pod that has ended but whose phase does not say so yet is deleted a moment later, because
// the API server then removes it at once.
func TestAnEndedPodIsDeletedOnceItsPhaseSaysSo(t *testing.T) {
	api, client := newAPI(t)
	k, cleanup := kit(begin(t, client, "r1"), "5.1.6")
	p, err := k.Pod(t.Context(), PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	end := func(phase string) {
		api.change(podPath(p), func(pod map[string]any) {
			set(pod, map[string]any{"phase": phase, "containerStatuses": []any{map[string]any{"name": containerName,
				"state": map[string]any{"terminated": map[string]any{"exitCode": 0}}}}})
		})
	}
	end("Running")
	if _, err := p.Finished(t.Context()); err != nil {
		t.Fatal(err)
	}
	const pause = 300 * time.Millisecond
	time.AfterFunc(pause, func() { end("Succeeded") })
	began := time.Now()
	cleanup(t)
	if took := time.Since(began); took < pause || took > settleTime {
		t.Errorf("deleted after %v", took)
	}
}
