// Package integrations checks section 10, additional integrations.
package integrations

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("10.2", func() {
	check.Attested("10.2.1", "10.2.2", "10.2.3")
})
