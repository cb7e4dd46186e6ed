package cuda

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"aiv.internal/conformance/framework/probe"
)

// session is one test of all visible devices.
type session struct {
	options probe.GPUOptions
	out     io.Writer
	// facts is what is known by now.
	facts probe.GPUResult
	// inDriver is the time spent in the driver during the current stage.
	inDriver time.Duration
	cuda     driver
	devices  []*device
	// stage is the current one's name, and at the device that it tests.
	stage string
	at    *device
	// sums and products are computed while the driver initialises itself.
	sums, products func() problem
}

// device is one device under test.
type device struct {
	probe.GPUDevice
	handle int32
	// context is its primary context, module the compiled kernels in it; 0 if not there yet.
	context, module uint64
}

// Run tests the devices and prints on out, as one JSON line each, which stage begins, which
// function of the driver is entered, and what a stage saw (probe.GPUEvent).
func Run(out io.Writer, o probe.GPUOptions) {
	s := newSession(out, o)
	// Contexts belong to a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if o.NoGPU {
		s.stages([]stage{
			{probe.StageLibrary, s.open}, {probe.StageInit, s.initialise}, {probe.StageDevices, s.enumerate},
		})
		return
	}
	go s.sums()
	go s.products()
	s.stages([]stage{
		{probe.StageLibrary, s.open}, {probe.StageInit, s.initialise}, {probe.StageDevices, s.enumerate},
		{probe.StageContext, s.onEach(s.takeContext)}, {probe.StageKernel, s.onEach(s.compileKernels)},
		{probe.StageSum, s.onEach(s.checkSum)}, {probe.StageProduct, s.onEach(s.checkProduct)},
		{probe.StageMemory, s.onEach(s.checkMemory)}, {probe.StageRates, s.onEach(s.measureRates)},
	})
	s.do(stage{probe.StageHealth, s.health})
}

// Health asks NVML alone, and prints as Run does.
func Health(out io.Writer, o probe.GPUOptions) {
	s := newSession(out, o)
	s.do(stage{probe.StageHealth, s.health})
}

func newSession(out io.Writer, o probe.GPUOptions) *session {
	return &session{options: o, out: out, sums: sync.OnceValue(sumProblem), products: sync.OnceValue(productProblem)}
}

// stage is one layer, and how it is tested: with a detail worth showing, or an error.
type stage struct {
	name string
	test func() (detail string, err error)
}

// stages goes through the layers until one is broken.
func (s *session) stages(all []stage) {
	for _, one := range all {
		if !s.do(one) {
			return
		}
	}
}

func (s *session) do(one stage) (ok bool) {
	s.emit(probe.GPUEvent{Begin: one.name})
	began := time.Now()
	s.stage, s.at, s.inDriver = one.name, nil, 0
	detail, err := one.test()
	report := probe.GPUStage{Name: one.name, Detail: detail}
	if err != nil {
		report.Trouble, report.Call, report.Code = explain(err)
		if s.at != nil && len(s.devices) > 1 {
			report.Trouble = &probe.Trouble{Kind: report.Trouble.Kind, Message: s.at.UUID + ": " + report.Trouble.Message}
		}
		if s.options.NoGPU && meansNone(report.Trouble.Kind) { // that is what must be where no GPU was asked for
			report.Detail, report.Trouble = strings.TrimSpace(report.Code+" "+report.Trouble.Message), nil
		}
	}
	report.Ms, report.DriverMs = milliseconds(time.Since(began)), milliseconds(s.inDriver)
	facts := s.facts
	s.emit(probe.GPUEvent{Stage: &report, Result: &facts})
	return err == nil
}

// meansNone says that a container with such trouble has no GPU. A driver that fails in another way
// has not said whether it has.
func meansNone(kind string) bool { return kind == probe.NoDevice || kind == probe.NoDriverLibrary }

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// emit prints an event. Who reads it may be gone; there is nobody else to tell.
func (s *session) emit(event probe.GPUEvent) {
	if line, err := json.Marshal(event); err == nil {
		_, _ = s.out.Write(append(line, '\n'))
	}
}

// library makes an opened library announce and time its calls.
func (s *session) library(handle uintptr) *library {
	return &library{
		handle: handle, symbols: map[string]uintptr{}, inside: &s.inDriver,
		entering: func(call string) { s.emit(probe.GPUEvent{Call: call}) },
	}
}

// onEach tests every device after the other, each with the stage's whole time.
func (s *session) onEach(test func(*device) (string, error)) func() (string, error) {
	return func() (detail string, err error) {
		for i, d := range s.devices {
			if i > 0 {
				s.emit(probe.GPUEvent{Begin: s.stage})
			}
			s.at = d
			if d.context != 0 {
				if err := s.cuda.do("cuCtxSetCurrent", uintptr(d.context)); err != nil {
					return "", err
				}
			}
			if detail, err = test(d); err != nil {
				return detail, err
			}
		}
		if n := len(s.devices); n > 1 {
			detail = fmt.Sprintf("%s (the last of %d devices)", detail, n)
		}
		return detail, nil
	}
}
