package certificates

import (
	"context"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

var _ = check.Subsection("3.1", func() {
	check.AttestedAnd("3.1.6", func(_ context.Context, a answers.Certificates) {
		check.Require("certificates.renewal.next", "certificates.validUntil")
		check.Evidence("next renewal", a.Renewal.Next.String())
		check.Evidence("certificate valid until", a.ValidUntil.String())
		if f := judgeRenewal(a.Renewal.Next, a.ValidUntil, time.Now()); f != nil {
			check.NoError(f, "judge the renewal")
		}
	})
})

// judgeRenewal returns nil if the next renewal is still to come, and comes before the
// certificate's last day.
func judgeRenewal(next, until answers.Date, now time.Time) *finding.Finding {
	if now.After(next.End()) {
		return finding.Failed("a next renewal that is still to come", "it was due on "+next.String(),
			"the renewal was missed, or made without the answer being renewed", "renew the certificate, then set certificates.renewal.next")
	}
	if !next.Before(until.Time) {
		return finding.Failed("a renewal before the certificate ends on "+until.String(), "it is planned for "+next.String(),
			"JupyterHub would be without a valid certificate in between", "bring the renewal forward")
	}
	return nil
}
