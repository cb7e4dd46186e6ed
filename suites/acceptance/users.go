// Package acceptance checks section 14, testing and validation, and the sign-offs of the Summary.
package acceptance

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("14.2", func() {
	check.Attested("14.2.2", "14.2.3")
})

var _ = check.Subsection("S", func() {
	check.Attested("S.6", "S.7", "S.8")
})
