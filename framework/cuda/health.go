package cuda

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/probe"
)

// throttleReasons are the bits of nvmlClocksEventReasons; those that are bad say that hardware
// protects itself. What idle clocks and set limits do is how devices work.
var throttleReasons = []struct {
	bit  uint64
	name string
	bad  bool
}{
	{1 << 0, "idle", false},
	{1 << 1, "application clocks", false},
	{1 << 2, "power cap", false},
	{1 << 3, "hardware slowdown", true},
	{1 << 4, "sync boost", false},
	{1 << 5, "software thermal slowdown", false},
	{1 << 6, "hardware thermal slowdown", true},
	{1 << 7, "hardware power brake", true},
	{1 << 8, "display clocks", false},
}

// health asks NVML how the devices are. That NVML is not there, or does not know, is no trouble.
func (s *session) health() (string, error) {
	handle, err := openLibrary(probe.NVMLLibrary, s.options.Library)
	if err != nil {
		return "unsupported: " + probe.NVMLLibrary + " cannot be loaded, NVIDIA_DRIVER_CAPABILITIES may lack utility", nil
	}
	n := nvml{s.library(handle)}
	if err := n.do(n.newest("nvmlInit_v2", "nvmlInit")); err != nil {
		return judged(err)
	}
	defer func() { _ = n.do("nvmlShutdown") }() // what it says changes nothing any more
	s.facts.Driver, _ = n.driverVersion()       // empty if NVML does not know
	devices, err := s.nvmlDevices(n)
	if err != nil {
		return judged(err)
	}
	if len(devices) == 0 {
		return "unsupported: NVML shows no device", nil
	}
	h := probe.GPUHealth{ECC: "unsupported", Persistence: true}
	for i, d := range devices {
		if count, err := d.processes(); err == nil {
			h.Processes += count
		}
		if i < len(s.devices) && s.devices[i].MIG {
			d = d.whole()
		}
		if name, err := d.name(); err == nil && simulated(name) {
			s.facts.Simulated = true
		}
		if err := examine(d, &h); err != nil {
			return judged(err)
		}
	}
	h.Processes = max(0, h.Processes-s.own())
	s.facts.Health = &h
	return healthText(h), sick(h)
}

// nvmlDevices are the devices under test, all that NVML shows if none was reached.
func (s *session) nvmlDevices(n nvml) (devices []nvmlDevice, err error) {
	for _, one := range s.devices {
		d, err := n.byUUID(one.UUID)
		if err != nil { // an old driver, or a name that NVML has not
			devices = nil
			break
		}
		devices = append(devices, d)
	}
	if len(devices) > 0 {
		return devices, nil
	}
	count, err := n.count()
	if err != nil {
		return nil, err
	}
	var closed error
	for index := range count {
		d, err := n.byIndex(index)
		switch {
		case err == nil:
			devices = append(devices, d)
		case othersDevice(err):
			closed = err
		default:
			return nil, err
		}
	}
	if len(devices) == 0 {
		return nil, closed
	}
	return devices, nil
}

// othersDevice says that NVML knows a device which this container may not open: it counts all
// of the node where the node's driver does not hide them.
func othersDevice(err error) bool {
	var refused *nvmlError
	return errors.As(err, &refused) && (refused.code == nvmlNoPermission || refused.code == nvmlOperatingSystem)
}

// own is how many of the processes on the devices are this one.
func (s *session) own() (count int) {
	for _, d := range s.devices {
		if d.context != 0 {
			count++
		}
	}
	return count
}

// examine adds a device to the worst of all. Only a device that is lost is an error.
func examine(d nvmlDevice, h *probe.GPUHealth) error {
	var lost error
	note := func(err error) bool {
		var refused *nvmlError
		if errors.As(err, &refused) && refused.lost() && lost == nil {
			lost = err
		}
		return err == nil
	}
	if degrees, err := d.temperature(); note(err) {
		h.Temperature = max(h.Temperature, degrees)
	}
	if on, err := d.ecc(); note(err) && h.ECC != "off" {
		h.ECC = map[bool]string{true: "on", false: "off"}[on]
	}
	if count, err := d.eccErrors(0); note(err) {
		h.Corrected += count
	}
	if count, err := d.eccErrors(1); note(err) {
		h.Uncorrected += count
	}
	if pending, failed, err := d.remapped(); note(err) {
		h.RemapPending, h.RemapFailed = h.RemapPending || pending, h.RemapFailed || failed
	}
	if pending, err := d.retiring(); note(err) {
		h.RemapPending = h.RemapPending || pending
	}
	if bits, err := d.throttle(); note(err) {
		for _, reason := range throttleReasons {
			if bits&reason.bit != 0 && !slices.Contains(h.Throttle, reason.name) {
				h.Throttle = append(h.Throttle, reason.name)
			}
		}
	}
	if on, err := d.persistence(); note(err) {
		h.Persistence = h.Persistence && on
	}
	return lost
}

// sick says what of it must not be.
func sick(h probe.GPUHealth) error {
	var hot []string
	for _, reason := range throttleReasons {
		if reason.bad && slices.Contains(h.Throttle, reason.name) {
			hot = append(hot, reason.name)
		}
	}
	switch {
	case h.Uncorrected > 0:
		return &probe.Trouble{Kind: probe.UncorrectedECC, Message: fmt.Sprintf("%d ECC errors that could not be corrected since the driver was loaded: what ran there may have lost data. "+
			"Drain the node, see `nvidia-smi -q -d ECC,ROW_REMAPPER` and Xid 48, 63, 64, 94 and 95 in its kernel log (dmesg), reset the GPU (`nvidia-smi -r`), and have it replaced if they come back", h.Uncorrected)}
	case h.RemapFailed:
		return &probe.Trouble{Kind: probe.DeviceUnhealthy, Message: "bad rows of the device's memory could not be replaced: no spare rows are left (Xid 64). Have the device replaced"}
	case h.RemapPending:
		return &probe.Trouble{Kind: probe.DeviceUnhealthy, Message: "bad rows or pages of the device's memory wait for a reset to be replaced (Xid 63). Drain the node and reset the GPU (`nvidia-smi -r`)"}
	case len(hot) > 0:
		return &probe.Trouble{Kind: probe.DeviceUnhealthy, Message: fmt.Sprintf("the device's hardware slows it down (%s, at %d °C): look at cooling and power supply of the node, and at `nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER`", strings.Join(hot, ", "), h.Temperature)}
	}
	return nil
}

// judged turns an error of NVML into trouble, or into a mere detail where NVML or the container
// does not let us look: that says nothing about the device.
func judged(err error) (detail string, trouble error) {
	var refused *nvmlError
	if !errors.As(err, &refused) {
		return "", err
	}
	const look = ". Look at `nvidia-smi` and the kernel log (dmesg) on the node"
	switch {
	case refused.lost():
		return "", &probe.Trouble{Kind: probe.DeviceUnhealthy, Message: err.Error() + ". Drain the node and reset the GPU (`nvidia-smi -r`), or restart the node; have the device replaced if it comes back"}
	case refused.code == nvmlMismatch:
		return "", &probe.Trouble{Kind: probe.DriverTooOld, Message: meanings[803].what + "; " + meanings[803].do}
	case slices.Contains(nvmlSilent, refused.code):
		return "unsupported: " + err.Error(), nil
	}
	return "", &probe.Trouble{Kind: probe.DriverError, Message: err.Error() + look}
}

func healthText(h probe.GPUHealth) string {
	parts := []string{"ECC " + h.ECC}
	if h.Temperature > 0 {
		parts = slices.Insert(parts, 0, fmt.Sprintf("%d °C", h.Temperature))
	}
	if h.ECC == "on" {
		parts = append(parts, fmt.Sprintf("%d uncorrected, %d corrected", h.Uncorrected, h.Corrected))
	}
	if len(h.Throttle) > 0 {
		parts = append(parts, "clocks lowered by "+strings.Join(h.Throttle, ", "))
	}
	return strings.Join(parts, ", ")
}
