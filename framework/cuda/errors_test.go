package cuda

import (
	"errors"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/probe"
)

func TestEveryErrorHasWords(t *testing.T) {
	names := map[string]int32{}
	for code, known := range meanings {
		if !strings.HasPrefix(known.name, "CUDA_ERROR_") || known.kind == "" || len(known.what) < 20 || len(known.do) < 8 {
			t.Errorf("%d: %+v", code, known)
		}
		if other, twice := names[known.name]; twice {
			t.Errorf("%s is %d and %d", known.name, code, other)
		}
		names[known.name] = code
		trouble, call, text := explain(&CallError{Call: "cuInit", Code: code})
		if trouble.Kind != known.kind || call != "cuInit" || text != CodeText(code) || !strings.Contains(trouble.Message, known.do) {
			t.Errorf("%d: %v %s %s", code, trouble, call, text)
		}
	}
}

func TestWhatErrorsMean(t *testing.T) {
	for _, c := range []struct {
		err              error
		kind, code, word string
	}{
		{&CallError{Call: "cuInit", Code: 100}, probe.NoDevice, "CUDA_ERROR_NO_DEVICE (100)", "NVIDIA_VISIBLE_DEVICES"},
		{&CallError{Call: "cuInit", Code: 803}, probe.DriverTooOld, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)", "different versions"},
		{&CallError{Call: "cuInit", Code: 35}, probe.DriverTooOld, "CUDA_ERROR_INSUFFICIENT_DRIVER (35)", "older"},
		{&CallError{Call: "cuInit", Code: 802}, probe.DriverError, "CUDA_ERROR_SYSTEM_NOT_READY (802)", "fabric manager"},
		{&CallError{Call: "cuInit", Code: 999}, probe.DriverError, "CUDA_ERROR_UNKNOWN (999)", "nvidia-uvm"},
		{&CallError{Call: "cuDevicePrimaryCtxRetain", Code: 46}, probe.DeviceBusy, "CUDA_ERROR_DEVICE_UNAVAILABLE (46)", "exclusive"},
		{&CallError{Call: "cuMemAlloc_v2", Code: 2}, probe.OutOfDeviceMemory, "CUDA_ERROR_OUT_OF_MEMORY (2)", "who holds it"},
		{&CallError{Call: "cuMemHostAlloc", Code: 2}, probe.DriverError, "CUDA_ERROR_OUT_OF_MEMORY (2)", "the host's memory"},
		{&CallError{Call: "cuModuleLoadDataEx", Code: 218, More: "ptxas fatal:\n  no"}, probe.PTXRefused, "CUDA_ERROR_INVALID_PTX (218)", "The driver's words: ptxas fatal: no"},
		{&CallError{Call: "cuModuleLoadDataEx", Code: 222}, probe.DriverTooOld, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222)", "update it"},
		{&CallError{Call: "cuCtxSynchronize", Code: 214}, probe.UncorrectedECC, "CUDA_ERROR_ECC_UNCORRECTABLE (214)", "drain"},
		{&CallError{Call: "cuCtxSynchronize", Code: 4711}, probe.DriverError, "CUDA error 4711", "not in its public list"},
		{errors.New("oh"), probe.Other, "", "oh"},
	} {
		trouble, _, code := explain(c.err)
		if trouble.Kind != c.kind || code != c.code || !strings.Contains(trouble.Message, c.word) {
			t.Errorf("%v: %s, %q", c.err, code, trouble)
		}
	}
}

func TestWhatIsSick(t *testing.T) {
	for _, c := range []struct {
		name   string
		health probe.GPUHealth
		kind   string
	}{
		{"healthy", probe.GPUHealth{ECC: "on", Corrected: 12, Throttle: []string{"idle", "power cap"}}, ""},
		{"uncorrected", probe.GPUHealth{ECC: "on", Uncorrected: 1}, probe.UncorrectedECC},
		{"to be reset", probe.GPUHealth{RemapPending: true}, probe.DeviceUnhealthy},
		{"worn out", probe.GPUHealth{RemapFailed: true}, probe.DeviceUnhealthy},
		{"hot", probe.GPUHealth{Throttle: []string{"idle", "hardware thermal slowdown"}}, probe.DeviceUnhealthy},
	} {
		var trouble *probe.Trouble
		if err := sick(c.health); c.kind == "" && err != nil || c.kind != "" && (!errors.As(err, &trouble) || trouble.Kind != c.kind) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestHealthInWords(t *testing.T) {
	for want, h := range map[string]probe.GPUHealth{
		"41 °C, ECC on, 0 uncorrected, 2 corrected": {Temperature: 41, ECC: "on", Corrected: 2},
		"ECC unsupported":                        {ECC: "unsupported"}, // a virtual GPU tells nothing
		"60 °C, ECC off, clocks lowered by idle": {Temperature: 60, ECC: "off", Throttle: []string{"idle"}},
	} {
		if got := healthText(h); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhatNVMLMeans(t *testing.T) {
	for code, kind := range map[int32]string{15: probe.DeviceUnhealthy, 16: probe.DeviceUnhealthy, 18: probe.DriverTooOld, 9: probe.DriverError, 4711: probe.DriverError} {
		var trouble *probe.Trouble
		if _, err := judged(&nvmlError{"nvmlInit_v2", code}); !errors.As(err, &trouble) || trouble.Kind != kind {
			t.Errorf("%d: %v", code, err)
		}
	}
	for code, word := range map[int32]string{4: "not permitted", 26: "any more"} {
		if detail, err := judged(&nvmlError{"nvmlInit_v2", code}); err != nil || !strings.Contains(detail, word) {
			t.Errorf("%d: %q %v", code, detail, err)
		}
	}
	// A function that a driver has no longer says nothing about the device.
	if (&nvmlError{"nvmlDeviceGetTemperature", 26}).lost() {
		t.Error("a deprecated function counts as a lost device")
	}
	for code, others := range map[int32]bool{4: true, 17: true, 15: false} {
		if got := othersDevice(&nvmlError{"nvmlDeviceGetHandleByIndex_v2", code}); got != others {
			t.Errorf("%d: somebody else's device is %t", code, got)
		}
	}
}
