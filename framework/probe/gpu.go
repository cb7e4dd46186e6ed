package probe

import (
	"encoding/json"
	"flag"
	"strconv"
	"time"
)

// The stages of a GPU's test, in their order: each stands on the one before.
const (
	StageFiles   = "device files"
	StageLibrary = "driver library"
	StageInit    = "init"
	StageDevices = "devices"
	StageContext = "context"
	StageKernel  = "kernel"
	StageSum     = "sum"
	StageProduct = "product"
	StageMemory  = "memory"
	StageRates   = "rates"
	StageHealth  = "health"
)

// Kinds of Trouble with a GPU.
const (
	NoDeviceFiles     = "no device files"
	NoDriverLibrary   = "no driver library"
	NoGlibc           = "no glibc"
	DriverError       = "driver error"
	DriverHangs       = "driver hangs"
	DriverCrashed     = "driver crashed"
	DriverTooOld      = "driver too old"
	NoDevice          = "no device"
	WrongDeviceCount  = "wrong number of devices"
	DeviceBusy        = "device busy"
	OutOfDeviceMemory = "out of device memory"
	PTXRefused        = "PTX refused"
	WrongResult       = "wrong result"
	BadMemory         = "bad memory"
	UncorrectedECC    = "uncorrected ECC errors"
	DeviceUnhealthy   = "device unhealthy"
)

// What a GPU's test does if it is not told otherwise.
const (
	DefaultGPUMemory    = 1 << 30
	DefaultGPUStageTime = 10 * time.Second
)

// GPUOptions say what to expect of the GPUs that a container was given.
type GPUOptions struct {
	// Expect is how many devices must be visible: as many as the pod asked for.
	Expect int
	// Memory is how many bytes of each device's memory are tested, at most 90 % of what is free.
	Memory int64
	// StageTime bounds each stage on each device, the driver's initialisation and the kernel's
	// compilation some times longer (stageTimes); all together have wholeTime times as long.
	StageTime time.Duration
	// Library is the only folder where the driver's libraries are looked for; then no device
	// files are expected. Empty for the places where a container has them.
	Library string
	// NoGPU is the negative control: look for a device where there must be none.
	NoGPU bool
}

// Args returns the arguments with which cmd/probe does the same.
func (o GPUOptions) Args() []string { return append([]string{"gpu"}, o.flags()...) }

// flags are those of cmd/probe and of cmd/probe-gpu alike.
func (o GPUOptions) flags() []string {
	o = o.withDefaults()
	args := []string{
		"--expect=" + strconv.Itoa(o.Expect), "--memory=" + strconv.FormatInt(o.Memory, 10),
		"--stage-time=" + o.StageTime.String(),
	}
	if o.Library != "" {
		args = append(args, "--library="+o.Library)
	}
	if o.NoGPU {
		args = append(args, "--no-gpu")
	}
	return args
}

// Flags lets flags set the options.
func (o *GPUOptions) Flags(flags *flag.FlagSet) {
	flags.IntVar(&o.Expect, "expect", 1, "")
	flags.Int64Var(&o.Memory, "memory", DefaultGPUMemory, "")
	flags.DurationVar(&o.StageTime, "stage-time", DefaultGPUStageTime, "")
	flags.StringVar(&o.Library, "library", "", "")
	flags.BoolVar(&o.NoGPU, "no-gpu", false, "")
}

func (o GPUOptions) withDefaults() GPUOptions {
	if o.Expect <= 0 {
		o.Expect = 1
	}
	if o.Memory <= 0 {
		o.Memory = DefaultGPUMemory
	}
	if o.StageTime <= 0 {
		o.StageTime = DefaultGPUStageTime
	}
	return o
}

// GPUResult is what was seen of the GPUs of a container.
type GPUResult struct {
	// Stages are those that were tried, in their order. The first with Trouble is the layer that
	// is broken; those after it were not tried, but for the health.
	Stages []GPUStage `json:"stages"`
	// Driver is the driver's version by NVML, such as "550.54.15".
	Driver string `json:"driver,omitempty"`
	// CUDA is the newest CUDA version that the driver supports, such as "12.4".
	CUDA string `json:"cuda,omitempty"`
	// Count is how many devices the driver shows. In the negative control it is how many could
	// be used, or how many device files there are where no driver library is.
	Count int `json:"count"`
	// Devices are the first maxGPUDevices of them.
	Devices []GPUDevice `json:"devices,omitempty"`
	Rates   *GPURates   `json:"rates,omitempty"`
	Health  *GPUHealth  `json:"health,omitempty"`
	// Simulated says that no real GPU was there, by the device's own name.
	Simulated bool `json:"simulated,omitempty"`
}

// GPUStage is one stage that was tried, well or not.
type GPUStage struct {
	Name string `json:"name"`
	// Ms is how many milliseconds it took, DriverMs how many of them passed inside the driver.
	Ms       float64 `json:"ms"`
	DriverMs float64 `json:"driverMs"`
	// Call is the driver's function that failed, hung or crashed, and Code the driver's own
	// error, such as "CUDA_ERROR_NO_DEVICE (100)".
	Call    string   `json:"call,omitempty"`
	Code    string   `json:"code,omitempty"`
	Trouble *Trouble `json:"trouble,omitempty"`
	// Detail is a figure worth showing, such as "1048576 sums, none wrong".
	Detail string `json:"detail,omitempty"`
}

// GPUDevice is one device as the driver describes it.
type GPUDevice struct {
	Name string `json:"name"`
	// UUID is as nvidia-smi prints it: "GPU-..." or "MIG-...".
	UUID string `json:"uuid"`
	// Memory is in bytes.
	Memory int64 `json:"memory"`
	// Capability is the compute capability, such as "9.0".
	Capability string `json:"capability"`
	// MIG says that it is a slice of a device.
	MIG bool `json:"mig,omitempty"`
}

// GPURates are copy rates in GB/s (10^9 bytes a second), of the slowest device if there are several.
type GPURates struct {
	HostToDevice float64 `json:"hostToDevice"`
	DeviceToHost float64 `json:"deviceToHost"`
	// Device is within the device's memory, where every byte is read and written: both count.
	Device float64 `json:"device"`
	// Bytes is how many one copy between host and device has; Method is how it was measured.
	Bytes  int64  `json:"bytes"`
	Method string `json:"method"`
}

// GPUHealth is what NVML says, the worst of all devices.
type GPUHealth struct {
	// Temperature is in degrees Celsius, 0 where it cannot be read.
	Temperature int `json:"temperature"`
	// ECC is "on", "off" or "unsupported".
	ECC string `json:"ecc"`
	// Uncorrected and Corrected are ECC errors since the driver was loaded.
	Uncorrected int64 `json:"uncorrected"`
	Corrected   int64 `json:"corrected"`
	// RemapPending: bad memory is replaced at the next reset. RemapFailed: it could not be.
	RemapPending bool `json:"remapPending,omitempty"`
	RemapFailed  bool `json:"remapFailed,omitempty"`
	// Throttle are the reasons why the clocks are lower than they could be.
	Throttle []string `json:"throttle,omitempty"`
	// Persistence: the driver stays loaded when nobody uses the device; false only where NVML says
	// so, which it does not of a virtual GPU.
	Persistence bool `json:"persistence"`
	// Processes is how many others compute on the device.
	Processes int `json:"processes"`
}

// Broken is the first stage with trouble; nil if there is none.
func (r GPUResult) Broken() *GPUStage {
	for i := range r.Stages {
		if r.Stages[i].Trouble != nil {
			return &r.Stages[i]
		}
	}
	return nil
}

// Stage is the stage of that name; nil if it was not tried.
func (r GPUResult) Stage(name string) *GPUStage {
	for i := range r.Stages {
		if r.Stages[i].Name == name {
			return &r.Stages[i]
		}
	}
	return nil
}

// GPUEvent is one line that cmd/probe-gpu prints, and that tells how far it got: it may not
// live to tell the end.
type GPUEvent struct {
	// Begin is the stage that begins, Call the driver's function that is entered.
	Begin string `json:"begin,omitempty"`
	Call  string `json:"call,omitempty"`
	// Stage has ended, and Result holds what is known by now, without Stages.
	Stage  *GPUStage  `json:"stage,omitempty"`
	Result *GPUResult `json:"result,omitempty"`
}

// maxGPUDevices is how many devices a result describes.
const maxGPUDevices = 8

// fitted shortens texts, then the list of devices, and at last leaves details out, until the
// result fits into a termination message.
func (r GPUResult) fitted() GPUResult {
	r.Devices = r.Devices[:min(len(r.Devices), maxGPUDevices)]
	for limit := 1000; limit >= 30 && !r.fits(); limit /= 2 {
		r = r.cut(limit, limit)
	}
	for len(r.Devices) > 0 && !r.fits() {
		r.Devices = r.Devices[:len(r.Devices)/2]
	}
	if !r.fits() {
		r = r.cut(30, 0)
	}
	return r
}

func (r GPUResult) fits() bool {
	text, err := json.Marshal(r)
	return err == nil && len(text) <= maxResult
}

// cut returns a copy whose messages have at most the given bytes, and its details too.
func (r GPUResult) cut(message, detail int) GPUResult {
	stages := make([]GPUStage, len(r.Stages))
	for i, stage := range r.Stages {
		if stage.Trouble != nil {
			stage.Trouble = &Trouble{Kind: stage.Trouble.Kind, Message: shortTo(message, stage.Trouble.Message)}
		}
		stage.Detail = shortTo(detail, stage.Detail)
		stages[i] = stage
	}
	r.Stages = stages
	if r.Rates != nil {
		rates := *r.Rates
		rates.Method = shortTo(detail, rates.Method)
		r.Rates = &rates
	}
	return r
}
