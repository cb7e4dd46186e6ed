// Package schedule checks section 15, the deployment schedule.
package schedule

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("15.1", func() {
	check.Attested("15.1.2", "15.1.3")
})

var _ = check.Subsection("15.2", func() {
	check.Attested("15.2.2", "15.2.6", "15.2.7")
})
