package cuda

import (
	"fmt"
	"unsafe"

	"aiv.internal/conformance/framework/probe"
)

const (
	// copies is how many are timed; the best counts, because others only make it slower.
	copies = 5
	// hostCopy and deviceCopy are how many bytes one copy has, if there is room: within the
	// device more, so that its cache cannot hold them.
	hostCopy, deviceCopy = 32 << 20, 256 << 20
)

// measureRates copies between pinned memory of the host and the device, and within the device.
func (s *session) measureRates(d *device) (string, error) {
	room, err := s.budget()
	if err != nil {
		return "", err
	}
	within := min(deviceCopy, room/2) &^ 4095
	across := min(hostCopy, within)
	var from, to memory
	if from, err = s.cuda.allocate(within); err != nil {
		return "", err
	}
	if to, err = s.cuda.allocate(within); err != nil {
		return "", err
	}
	var pinned unsafe.Pointer
	if err := s.cuda.do(hostAllocation, uintptr(unsafe.Pointer(&pinned)), uintptr(across), 0); err != nil {
		return "", err
	}
	watch, err := s.newStopwatch()
	if err != nil {
		return "", err
	}
	rates := probe.GPURates{Bytes: across, Method: fmt.Sprintf("best of %d copies, timed by CUDA events: %d MiB from and to pinned memory; %d MiB within the device, read and written", copies, across>>20, within>>20)}
	for _, one := range []struct {
		rate  *float64
		bytes int64
		copy  func() error
	}{
		{&rates.HostToDevice, across, func() error {
			return s.cuda.do("cuMemcpyHtoD_v2", uintptr(from.address), uintptr(pinned), uintptr(across))
		}},
		{&rates.DeviceToHost, across, func() error {
			return s.cuda.do("cuMemcpyDtoH_v2", uintptr(pinned), uintptr(from.address), uintptr(across))
		}},
		{&rates.Device, 2 * within, func() error {
			return s.cuda.do("cuMemcpyDtoD_v2", uintptr(to.address), uintptr(from.address), uintptr(within))
		}},
	} {
		best, err := watch.best(one.copy)
		if err != nil {
			return "", err
		}
		if best > 0 {
			*one.rate = round(float64(one.bytes) / 1e6 / float64(best))
		}
	}
	s.facts.Rates = slower(s.facts.Rates, rates)
	if err := s.cuda.do("cuMemFreeHost", uintptr(pinned)); err != nil {
		return "", err
	}
	for _, release := range []func() error{from.free, to.free, watch.destroy} {
		if err := release(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%v GB/s to the device, %v GB/s back, %v GB/s within", rates.HostToDevice, rates.DeviceToHost, rates.Device), nil
}

// round leaves two places.
func round(rate float64) float64 { return float64(int64(rate*100+0.5)) / 100 }

// slower keeps the lower rate of each kind.
func slower(known *probe.GPURates, rates probe.GPURates) *probe.GPURates {
	if known != nil {
		rates.HostToDevice = min(rates.HostToDevice, known.HostToDevice)
		rates.DeviceToHost = min(rates.DeviceToHost, known.DeviceToHost)
		rates.Device = min(rates.Device, known.Device)
	}
	return &rates
}

// stopwatch takes the time on the device itself.
type stopwatch struct {
	driver     driver
	start, end uint64
}

func (s *session) newStopwatch() (stopwatch, error) {
	w := stopwatch{driver: s.cuda}
	if err := s.cuda.do("cuEventCreate", uintptr(unsafe.Pointer(&w.start)), 0); err != nil {
		return w, err
	}
	return w, s.cuda.do("cuEventCreate", uintptr(unsafe.Pointer(&w.end)), 0)
}

// best is the shortest time of some copies, in milliseconds.
func (w stopwatch) best(copy func() error) (float32, error) {
	var shortest float32
	for i := range copies {
		took, err := w.time(copy)
		if err != nil {
			return 0, err
		}
		if i == 0 || took < shortest {
			shortest = took
		}
	}
	return shortest, nil
}

func (w stopwatch) time(copy func() error) (float32, error) {
	var took float32
	for _, step := range []func() error{
		func() error { return w.driver.do("cuEventRecord", uintptr(w.start), 0) },
		copy,
		func() error { return w.driver.do("cuEventRecord", uintptr(w.end), 0) },
		func() error { return w.driver.do("cuEventSynchronize", uintptr(w.end)) },
		func() error {
			return w.driver.do("cuEventElapsedTime", uintptr(unsafe.Pointer(&took)), uintptr(w.start), uintptr(w.end))
		},
	} {
		if err := step(); err != nil {
			return 0, err
		}
	}
	return took, nil
}

func (w stopwatch) destroy() error {
	for _, event := range []uint64{w.start, w.end} {
		if err := w.driver.do("cuEventDestroy_v2", uintptr(event)); err != nil {
			return err
		}
	}
	return nil
}
