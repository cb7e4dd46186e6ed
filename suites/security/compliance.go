// Package security checks section 11, security and compliance.
package security

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("11.2", func() {
	check.Attested("11.2.1", "11.2.2", "11.2.3")
})
