// Package monitoring checks section 8, monitoring and observability.
package monitoring

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("8.3", func() {
	check.Attested("8.3.3")
})
