// Package security checks section 11, security and compliance.
package security

import (
	"context"
	"net/http"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("11.2", func() {
	check.AttestedAnd("11.2.1", func(_ context.Context, a answers.Compliance) {
		check.Require("compliance.requirements.frameworks")
		check.Evidence("frameworks", a.Requirements.Frameworks)
	})

	check.AttestedAnd("11.2.2", func(ctx context.Context, a answers.Compliance) {
		check.Require("compliance.audit.events")
		check.Evidence("events", a.Audit.Events)
		if a.Audit.QueryURL == "" {
			return
		}
		login := a.Audit.Login
		check.LinkAnswers(ctx, "compliance.audit.queryUrl", a.Audit.QueryURL, func(request *http.Request) {
			switch {
			case login.Token.IsSet():
				request.Header.Set("Authorization", "Bearer "+check.Secret(ctx, login.Token))
			case login.Password.IsSet():
				request.SetBasicAuth(login.Username, check.Secret(ctx, login.Password))
			}
		})
	})

	check.AttestedAnd("11.2.3", func(_ context.Context, a answers.Compliance) {
		check.Require("compliance.retention.period")
		check.Evidence("retention", a.Retention.Period.String())
	})
})
