package storage

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("6.3", func() {
	check.Attested("6.3.3")
})
