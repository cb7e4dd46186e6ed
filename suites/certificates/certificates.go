// Package certificates checks section 3, TLS/SSL certificates.
package certificates

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("3.1", func() {
	check.Attested("3.1.6")
})
