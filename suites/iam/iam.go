// Package iam checks section 9, IAM and resource provisioning.
package iam

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("9.1", func() {
	check.Attested("9.1.1", "9.1.5")
})
