// Package availability checks section 12, high availability and disaster recovery.
package availability

import (
	"context"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("12.2", func() {
	check.Attested("12.2.2")

	check.AttestedAnd("12.2.3", func(_ context.Context, a answers.DisasterRecovery) {
		check.Require("disasterRecovery.testing.next")
		next := a.Testing.Next
		check.Evidence("next test", next.String())
		if !time.Now().Before(next.End()) {
			check.Fail("a next test of disaster recovery that is still to come", "it was due on "+next.String(),
				"the test was missed, or made without the answer being renewed", "plan the next test and set disasterRecovery.testing.next")
		}
	})
})
