// Package operations checks section 13, support and operations.
package operations

import (
	"context"
	"fmt"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("13.1", func() {
	check.AttestedAnd("13.1.1", func(_ context.Context, a answers.Support) {
		check.Require("support.contact", "support.backup", "support.emergency")
		reachable("support.contact", a.Contact)
		reachable("support.backup", a.Backup)
		reachable("support.emergency", a.Emergency)
	})

	check.Attested("13.1.2")

	check.AttestedAnd("13.1.3", func(_ context.Context, a answers.Support) {
		check.Require("support.sla.uptime", "support.sla.response", "support.sla.resolution")
		check.Evidence("uptime", fmt.Sprintf("%g %%", a.SLA.Uptime))
		check.Evidence("response", a.SLA.Response.String())
		check.Evidence("resolution", a.SLA.Resolution.String())
		if a.SLA.Resolution.Duration < a.SLA.Response.Duration {
			check.Fail("a resolution time that is not shorter than the response time",
				fmt.Sprintf("response %s, resolution %s", a.SLA.Response, a.SLA.Resolution), "the two were swapped", "correct support.sla")
		}
	})
})

func reachable(key string, contact answers.Contact) {
	if !contact.Reachable() {
		check.Fail("a mail address, a phone number or a web address at "+key, contact.String(),
			"only a name was answered", "add how "+contact.Name+" is reached")
	}
}
