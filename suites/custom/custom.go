// Package custom runs N.2, the customer's own checks: they are written in the answers file
// and need no program. Each holds an object against an expression, asks a server, opens a
// connection, or runs an image. Nothing here changes what it looks at.
package custom

import (
	"context"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
)

var _ = check.Subsection("N.2", func() {
	for _, c := range check.Answers().Custom {
		check.Added(itemOf(c), func(ctx context.Context) {
			check.Evidence("required", c.IsRequired())
			conclude(c, prove(ctx, c))
		})
	}
})

func itemOf(c answers.Custom) checklist.Item {
	return checklist.Item{ID: c.ItemID(), Title: c.Title, Kind: checklist.Probe, Section: "N", Subsection: "N.2", Topics: []string{"custom"}}
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

// conclude ends the check. What is not required only warns, whatever is wrong with it.
func conclude(c answers.Custom, err error) {
	f := finding.As(err)
	if err == nil || f == nil {
		check.NoError(err, c.Title)
		return
	}
	whole := *f
	if contact := c.Contact.String(); contact != "" {
		whole.Do = join(whole.Do, "call "+contact)
	}
	if c.IsRequired() {
		check.NoError(&whole, c.Title)
		return
	}
	check.Warn("not required, and not met: expected "+whole.Expected+"; found "+whole.Found, whole.Why, whole.Do)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
