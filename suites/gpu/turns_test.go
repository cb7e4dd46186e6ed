package gpu

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var full = &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden,
	Message: `pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2`}}

// A quota with room for two holds none of ten back for good.
func TestWhatAQuotaHasNoRoomForWaitsForOthersOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		var mu sync.Mutex
		used, done := 0, 0
		change := func(by int) bool {
			mu.Lock()
			defer mu.Unlock()
			if used+by > 2 {
				return false
			}
			used += by
			return true
		}
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				err := turns.take(t.Context(), func(accepted func()) error {
					if !change(1) {
						return full
					}
					accepted()
					time.Sleep(5 * time.Second)
					go func() { time.Sleep(time.Second); change(-1) }() // the quota is told late
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				done++
				mu.Unlock()
			})
		}
		group.Wait()
		if done != 10 {
			t.Errorf("%d ran", done)
		}
		time.Sleep(time.Minute)
	})
}

func TestWhatOthersHoldIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		began, tries := time.Now(), 0
		refuse := func(func()) error { tries++; return full }
		if err := turns.take(t.Context(), refuse); !errors.Is(err, full) || tries != 1 || time.Since(began) > 0 {
			t.Errorf("after %v and %d tries: %v", time.Since(began), tries, err)
		}
		// Refused by the Job's controller again and again: no other of ours will make room.
		if err := turns.take(t.Context(), func(accepted func()) error { tries++; accepted(); return full }); !errors.Is(err, full) || tries != 2 {
			t.Errorf("after %d tries: %v", tries, err)
		}
		odd := errors.New("odd")
		if err := turns.take(t.Context(), func(accepted func()) error { accepted(); return odd }); !errors.Is(err, odd) {
			t.Error(err)
		}
		// One of ours has just ended: worth another try, for as long as there is time.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := turns.take(ctx, refuse); !errors.Is(err, full) || tries != 3 {
			t.Errorf("after %d tries: %v", tries, err)
		}
	})
}
