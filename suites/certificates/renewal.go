// Package certificates checks section 3, TLS/SSL certificates.
package certificates

import (
	"context"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("3.1", func() {
	check.AttestedAnd("3.1.6", func(_ context.Context, a answers.Certificates) {
		check.Require("certificates.renewal.next")
		next := a.Renewal.Next
		check.Evidence("next renewal", next.String())
		if next.Before(time.Now().Truncate(24 * time.Hour)) {
			check.Fail("a next renewal that is still to come", "it was due on "+next.String(),
				"the renewal was missed, or made without the answer being renewed", "renew the certificate, then set certificates.renewal.next")
		}
		if end := a.ValidUntil; !end.IsZero() && !next.Before(end.Time) {
			check.Fail("a renewal before the certificate ends on "+end.String(), "it is planned for "+next.String(),
				"JupyterHub would be without a valid certificate in between", "bring the renewal forward")
		}
	})
})
