// Package monitoring checks section 8, monitoring and observability.
package monitoring

import (
	"context"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("8.3", func() {
	check.AttestedAnd("8.3.3", func(_ context.Context, a answers.Alerting) {
		check.Require("alerting.onCall.defined")
		if !*a.OnCall.Defined {
			check.Fail("an on-call rotation", "alerting.onCall.defined is false", "nobody would act on an alert at night", "define a rotation")
		}
	})
})
