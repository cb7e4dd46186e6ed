// Package schedule checks section 15, the deployment schedule.
package schedule

import (
	"context"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("15.1", func() {
	check.AttestedAnd("15.1.2", func(_ context.Context, a answers.Deployment) {
		check.Require("deployment.changeRequest.ticket")
		check.Evidence("ticket", a.ChangeRequest.Ticket)
	})

	check.Attested("15.1.3")
})

var _ = check.Subsection("15.2", func() {
	check.AttestedAnd("15.2.2", func(_ context.Context, a answers.GoLive) {
		if a.StagingTested.Report != "" {
			proveStaging(a.StagingTested.Report)
		}
	})

	check.Attested("15.2.6", "15.2.7")
})
