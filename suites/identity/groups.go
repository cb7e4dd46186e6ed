// Package identity checks section 4, authentication and identity.
package identity

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("4.2", func() {
	check.Attested("4.2.3")
})
