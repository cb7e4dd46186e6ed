// Package custom runs N.2, the customer's own checks: they are written in the answers file
// and need no program. Each holds an object against an expression, asks a server, opens a
// connection, or runs an image. Nothing here changes what it looks at.
package custom

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

// ownTime is what a check may take beside the time that an image is given.
const ownTime = 3 * time.Minute

var _ = check.Subsection("N.2", func() {
	for _, c := range check.Answers().Custom {
		check.Added(c.ItemID(), func(ctx context.Context) {
			check.Evidence("required", c.IsRequired())
			if !c.IsRequired() {
				check.Optional()
			}
			check.NoError(prove(ctx, c), c.Title)
		}, ginkgo.NodeTimeout(timeLimit(c)))
	}
})

func timeLimit(c answers.Custom) time.Duration {
	if c.Image == nil {
		return ownTime
	}
	return ownTime + c.Image.Timeout.Duration
}

// prove returns nil if what the customer wrote holds, and else a finding.
func prove(ctx context.Context, c answers.Custom) error {
	switch {
	case c.Object != nil:
		return proveObject(ctx, *c.Object)
	case c.HTTP != nil:
		return proveHTTP(ctx, *c.HTTP)
	case c.Target != nil:
		return proveTarget(ctx, *c.Target)
	case c.Image != nil:
		return proveImage(ctx, *c.Image)
	}
	return finding.NotDecided("a check", "it holds nothing to check", "", "give it one of object, http, target and image")
}
