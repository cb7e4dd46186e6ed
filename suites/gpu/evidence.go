package gpu

import (
	"fmt"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/probe"
)

// describe puts what a smoke job measured into one line.
func describe(t *trial) string {
	r := t.result
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, d := range r.Devices {
		text := fmt.Sprintf("%s, %s, compute capability %s", d.Name, size(d.Memory), d.Capability)
		if d.MIG {
			text += ", MIG instance"
		}
		add("%s", text)
	}
	if r.Driver != "" {
		add("driver %s", r.Driver)
	}
	if r.CUDA != "" {
		add("CUDA %s", r.CUDA)
	}
	for _, name := range []string{probe.StageSum, probe.StageProduct, probe.StageMemory} {
		if stage := r.Stage(name); stage != nil && stage.Trouble == nil && stage.Detail != "" {
			add("%s: %s", name, stage.Detail)
		}
	}
	if r.Rates != nil {
		add("%.1f GB/s to the device, %.1f GB/s back, %.1f GB/s within it (%s)", r.Rates.HostToDevice, r.Rates.DeviceToHost, r.Rates.Device, r.Rates.Method)
	}
	if h := r.Health; h != nil {
		add("%d °C, ECC %s", h.Temperature, h.ECC)
		if h.Uncorrected+h.Corrected > 0 {
			add("ECC errors: %d uncorrected, %d corrected", h.Uncorrected, h.Corrected)
		}
		if reasons := slices.DeleteFunc(slices.Clone(h.Throttle), func(r string) bool { return r == "idle" }); len(reasons) > 0 {
			add("throttled: %s", strings.Join(reasons, ", "))
		}
		if h.Processes > 0 {
			add("%d other processes", h.Processes)
		}
		if !h.Persistence {
			add("persistence mode off")
		}
	}
	if broken := r.Broken(); broken != nil {
		add("broken at stage %q", broken.Name)
	}
	if r.Simulated {
		add("simulated")
	}
	return strings.Join(parts, "; ")
}
