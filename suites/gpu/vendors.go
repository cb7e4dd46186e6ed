package gpu

import (
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/finding"
)

// otherVendors are how resources and DeviceClasses of other makers' devices begin.
var otherVendors = map[string]string{
	"amd.com/": "AMD", "gpu.amd.com": "AMD",
	"gpu.intel.com": "Intel", "intel.com/": "Intel", "habana.ai/": "Intel",
	"google.com/": "Google", "tpu.google.com": "Google",
	"aws.amazon.com/neuron": "Amazon", "huawei.com/": "Huawei",
}

// vendorOf returns who makes the devices of a resource or DeviceClass, "" for NVIDIA and for what
// is not known: there the probe tells.
func vendorOf(name string) string {
	for prefix, vendor := range otherVendors {
		if strings.HasPrefix(name, prefix) {
			return vendor
		}
	}
	return ""
}

// untried says that the smoke job cannot try the devices of another vendor, nil for NVIDIA's.
func untried(expected, asked string) *finding.Finding {
	vendor := vendorOf(asked)
	if vendor == "" {
		return nil
	}
	return finding.NotDecided(expected, fmt.Sprintf("%s stands for devices of %s", asked, vendor),
		"the smoke job and the negative control speak to NVIDIA's driver only, and were not started",
		"try a pod with "+asked+" by hand, or correct gpu.resourceName or gpu.deviceClass")
}
