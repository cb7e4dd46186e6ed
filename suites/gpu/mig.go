package gpu

import (
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// The strategies under which the device plugin advertises instances of a partitioned GPU
// (MIG): as whole GPUs, under the plain resource name, or each profile under its own
// (github.com/NVIDIA/k8s-device-plugin, "mig-strategy").
const (
	strategySingle = "single"
	strategyMixed  = "mixed"
)

// migAdvice is what to do about partitioned GPUs.
const migAdvice = "have the MIG configuration applied (nvidia.com/mig.config) and the device plugin and GPU feature discovery restarted, or correct gpu.resourceName"

// judgeMIG holds what a node's labels say of partitioned GPUs against the resource that pods
// ask for and, where the smoke job ran there, against what the driver says; nil if they agree.
func judgeMIG(n node, resource string, devices []probe.GPUDevice) *finding.Finding {
	profile := strings.HasPrefix(resource, migPrefix)
	sliced := strings.Contains(strings.ToUpper(n.product), "-MIG-")
	failed := func(expected, found, why string) *finding.Finding {
		return finding.Failed(expected, fmt.Sprintf("node %s: %s", n.name, found), why, migAdvice)
	}
	switch {
	case strings.Contains(strings.ToUpper(n.product), "MIG-INVALID"):
		return failed("one MIG profile on all GPUs of the node, as strategy single needs it", "label "+productLabel+" is "+n.product,
			"the node's GPUs are partitioned differently, or MIG is on without any instance")
	case profile && n.strategy != "" && n.strategy != strategyMixed:
		return failed(resource+" is advertised under MIG strategy mixed", fmt.Sprintf("label %s is %s", strategyLabel, n.strategy),
			"the device plugin's strategy was changed: pods that ask for a profile by name get nothing then")
	case !profile && n.strategy == strategySingle && !sliced && anyMIG(devices):
		return failed("the label says which MIG profile the node has", fmt.Sprintf("label %s is %s, but the driver gives a MIG instance", productLabel, n.product),
			"GPU feature discovery has not run since the GPUs were partitioned")
	case !profile && n.strategy != "" && n.strategy != strategySingle && anyMIG(devices): // without feature discovery, only the device plugin knows
		return failed("whole GPUs under "+resource, fmt.Sprintf("the driver gives a MIG instance, while label %s is %q", strategyLabel, n.strategy),
			"the GPUs were partitioned after the device plugin started")
	case len(devices) > 0 && (profile || sliced) && !anyMIG(devices):
		return failed("an instance of a partitioned GPU under "+resource, "the driver gives a whole GPU",
			"MIG was switched off after the device plugin and GPU feature discovery started")
	}
	return nil
}

func anyMIG(devices []probe.GPUDevice) bool {
	for _, d := range devices {
		if d.MIG {
			return true
		}
	}
	return false
}

// shares says in words how GPUs of the node are shared, "" if each pod gets a whole one.
func (n node) shares(resource string) string {
	var parts []string
	if n.replicas > 1 || strings.HasSuffix(n.product, "-SHARED") || strings.HasSuffix(resource, ".shared") {
		how := "time slicing"
		if n.sharing != "" && n.sharing != "none" {
			how = n.sharing
		}
		if n.replicas > 1 {
			how += fmt.Sprintf(", %d pods on each GPU", n.replicas)
		}
		parts = append(parts, "shared by "+how+" (no memory limit between pods)")
	}
	if strings.HasPrefix(resource, migPrefix) || n.strategy == strategySingle && strings.Contains(strings.ToUpper(n.product), "-MIG-") {
		parts = append(parts, "MIG instances")
	}
	return strings.Join(parts, ", ")
}
