package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// interval is how often a condition that cannot be watched is asked again.
const interval = 50 * time.Millisecond

// Until asks the condition until it returns nil. When ctx ends, the error holds both why it
// ended and what the condition said last.
func Until(ctx context.Context, condition func(context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		last := ask(ctx, condition)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(last, ctx.Err()) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}

// ask gives one attempt a deadline of its own, because a connection that hangs would
// otherwise use up the whole wait.
func ask(ctx context.Context, condition func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return condition(ctx)
}
