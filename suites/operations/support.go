// Package operations checks section 13, support and operations.
package operations

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("13.1", func() {
	check.Attested("13.1.1", "13.1.2", "13.1.3")
})

var _ = check.Subsection("13.2", func() {
	check.Attested("13.2.1", "13.2.2.1", "13.2.2.2", "13.2.2.3", "13.2.2.4")
})
