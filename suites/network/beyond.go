package network

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"
)

// beyond returns a context for work that goes on beside the items of a chain: it outlives the
// preparation that ctx belongs to, and ends with the chain or when the time is over.
func beyond(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	ginkgo.DeferCleanup(cancel)
	return ctx, cancel
}
