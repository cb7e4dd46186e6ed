package operations

import (
	"context"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("13.2", func() {
	check.AttestedAnd("13.2.1", func(_ context.Context, a answers.Training) {
		check.Require("training.sessions.date")
		check.Evidence("training on", a.Sessions.Date.String())
	})

	check.Attested("13.2.2.1", "13.2.2.2", "13.2.2.3", "13.2.2.4")
})
