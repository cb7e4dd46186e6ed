package gpu

import (
	"context"
	"sync"
	"time"

	"aiv.internal/conformance/framework/kubeerr"
)

const (
	// quotaPause is the time between two tries of what a quota had no room for. The quota cannot
	// be watched: the runner may only list it.
	quotaPause = 2 * time.Second
	// quotaLag is how long a quota may still count what has ended: its controller is told of it.
	quotaLag = 6 * time.Second
)

// turns lets what a ResourceQuota has no room for wait until others of ours have ended. What
// the customer's own pods hold, it does not wait for.
type turns struct {
	mu      sync.Mutex
	running int
	ended   time.Time
}

// take calls start, and again where a quota refused it while others of ours were running or
// had just ended. start calls accepted once its pod was taken.
func (t *turns) take(ctx context.Context, start func(accepted func()) error) error {
	for {
		running := false
		err := start(func() { running = true; t.add(1, false) })
		full := kubeerr.ReasonOf(err) == kubeerr.Quota
		if running {
			t.add(-1, !full)
		}
		if !full || !t.wait(ctx) {
			return err
		}
	}
}

func (t *turns) add(n int, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running += n
	if ended {
		t.ended = time.Now()
	}
}

// wait returns after a pause whether it is worth another try.
func (t *turns) wait(ctx context.Context) bool {
	t.mu.Lock()
	hope := t.running > 0 || time.Since(t.ended) < quotaLag
	t.mu.Unlock()
	if !hope {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(quotaPause):
		return true
	}
}
