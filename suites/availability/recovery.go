// Package availability checks section 12, high availability and disaster recovery.
package availability

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("12.2", func() {
	check.Attested("12.2.2", "12.2.3")
})
