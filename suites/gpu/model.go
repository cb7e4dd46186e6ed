package gpu

import (
	"regexp"
	"strings"
)

var (
	notAlphanumeric = regexp.MustCompile(`[^a-z0-9]+`)
	// slicedSuffix is what feature discovery and the driver add to the model of a shared GPU or
	// of an instance of one: -SHARED, -MIG-1g.10gb, " MIG 1g.10gb".
	slicedSuffix = regexp.MustCompile(`(-mig-.*)?(-shared)?$`)
)

// normal brings the model as the answer, the node's label and the driver write it to one form:
// "NVIDIA A100-SXM4-80GB MIG 1g.10gb" and "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED" are both
// "a100-sxm4-80gb". Drivers before 465 leave out "NVIDIA".
func normal(model string) string {
	model = strings.Trim(notAlphanumeric.ReplaceAllString(strings.ToLower(model), "-"), "-")
	return slicedSuffix.ReplaceAllString(strings.TrimPrefix(model, "nvidia-"), "")
}

func sameModel(a, b string) bool { return normal(a) == normal(b) }

// simulatedModel tells whether a model says of itself that it only stands for a real one.
func simulatedModel(model string) bool {
	return strings.Contains(strings.ToLower(model), "simulated")
}
