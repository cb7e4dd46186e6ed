// Package suites brings all checks into the program that imports it, one package a section
// of the checklist. It holds no code of its own.
package suites

import (
	_ "aiv.internal/conformance/suites/acceptance"
	_ "aiv.internal/conformance/suites/access"
	_ "aiv.internal/conformance/suites/availability"
	_ "aiv.internal/conformance/suites/certificates"
	_ "aiv.internal/conformance/suites/custom"
	_ "aiv.internal/conformance/suites/gpu"
	_ "aiv.internal/conformance/suites/iam"
	_ "aiv.internal/conformance/suites/identity"
	_ "aiv.internal/conformance/suites/integrations"
	_ "aiv.internal/conformance/suites/monitoring"
	_ "aiv.internal/conformance/suites/network"
	_ "aiv.internal/conformance/suites/operations"
	_ "aiv.internal/conformance/suites/pending"
	_ "aiv.internal/conformance/suites/registry"
	_ "aiv.internal/conformance/suites/schedule"
	_ "aiv.internal/conformance/suites/security"
	_ "aiv.internal/conformance/suites/storage"
)
