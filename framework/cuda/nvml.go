package cuda

import (
	"fmt"
	"unsafe"
)

// Codes of NVML, nvmlReturn_t, by https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html.
const (
	nvmlNoPermission     = 4
	nvmlInsufficientSize = 7
	nvmlFunctionNotFound = 13
	nvmlOperatingSystem  = 17
	nvmlMismatch         = 18
)

// nvmlSilent are the codes with which NVML does not say anything about the device: not
// supported, not permitted, a part of the library or a function missing, no data, or a function
// that newer drivers do not have any more ("NVML_ERROR_DEPRECATED": its notices of deprecation
// name nvmlDeviceGetTemperature among those to come).
var nvmlSilent = []int32{3, nvmlNoPermission, 12, nvmlFunctionNotFound, 21, 26}

// nvmlErrors are those that say something about the device or the node.
var nvmlErrors = map[int32]string{
	1:   "NVML is not initialised",
	2:   "NVML refused an argument",
	3:   "the device does not support it",
	4:   "the container is not permitted it",
	6:   "NVML does not find the device",
	8:   "the device's power cables are not attached as they must be",
	9:   "the driver's kernel module is not loaded",
	10:  "the driver did not answer in time",
	11:  "the driver has a problem with an interrupt",
	12:  "NVML's library is missing",
	13:  "the library lacks the function",
	14:  "the device's info ROM is damaged",
	15:  "the GPU has fallen off the bus (Xid 79)",
	16:  "the GPU must be reset",
	17:  "the operating system refused it",
	18:  "library and kernel module of the driver are of different versions",
	19:  "the device is in use",
	20:  "there is not enough memory",
	21:  "there is no data",
	23:  "critical resources other than memory are used up",
	26:  "the driver does not offer the function any more",
	27:  "the system is not ready for it",
	28:  "NVML finds no GPU",
	999: "the driver failed without saying why",
}

// nvmlError is a call that NVML refused.
type nvmlError struct {
	call string
	code int32
}

func (e *nvmlError) Error() string {
	what, known := nvmlErrors[e.code]
	if !known {
		what = "NVML refused it"
	}
	return fmt.Sprintf("%s: %s (NVML error %d)", e.call, what, e.code)
}

// lost says that the device or its driver is broken, not merely that it does not know a figure.
func (e *nvmlError) lost() bool {
	switch e.code {
	case 8, 11, 14, 15, 16:
		return true
	}
	return false
}

// nvml is the management library, libnvidia-ml. It is always asked with least demands: what an
// older driver or a slice of a device does not know is left out.
type nvml struct{ *library }

// do calls a function of NVML.
//
//go:uintptrescapes
func (n nvml) do(name string, args ...uintptr) error {
	code, known := n.call(name, args...)
	if !known {
		code = nvmlFunctionNotFound
	}
	if code != success {
		return &nvmlError{name, code}
	}
	return nil
}

// newest is the first function that this driver's library has, the last one if it has none.
func (n nvml) newest(names ...string) string {
	if name, found := n.has(names...); found {
		return name
	}
	return names[len(names)-1]
}

func (n nvml) driverVersion() (string, error) {
	version := make([]byte, 80)
	err := n.do("nvmlSystemGetDriverVersion", uintptr(unsafe.Pointer(&version[0])), uintptr(len(version)))
	return goString(version), err
}

func (n nvml) count() (int, error) {
	var count uint32
	err := n.do(n.newest("nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"), uintptr(unsafe.Pointer(&count)))
	return int(count), err
}

// nvmlDevice is one device as NVML knows it.
type nvmlDevice struct {
	nvml   nvml
	handle uintptr
}

func (n nvml) byUUID(uuid string) (nvmlDevice, error) {
	d, name := nvmlDevice{nvml: n}, cString(uuid)
	err := n.do("nvmlDeviceGetHandleByUUID", uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&d.handle)))
	return d, err
}

func (n nvml) byIndex(index int) (nvmlDevice, error) {
	d := nvmlDevice{nvml: n}
	err := n.do(n.newest("nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"), uintptr(index), uintptr(unsafe.Pointer(&d.handle)))
	return d, err
}

// whole is the device that a MIG instance is a part of, which knows more; the device itself if
// it is none, or if the container may not ask.
func (d nvmlDevice) whole() nvmlDevice {
	parent := nvmlDevice{nvml: d.nvml}
	if _, known := d.nvml.has("nvmlDeviceGetDeviceHandleFromMigDeviceHandle"); !known {
		return d
	}
	if d.nvml.do("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", d.handle, uintptr(unsafe.Pointer(&parent.handle))) != nil {
		return d
	}
	return parent
}

func (d nvmlDevice) name() (string, error) {
	name := make([]byte, 96)
	err := d.nvml.do("nvmlDeviceGetName", d.handle, uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)))
	return goString(name), err
}

// temperature is that of the chip, in degrees Celsius.
func (d nvmlDevice) temperature() (int, error) {
	var degrees uint32
	err := d.nvml.do("nvmlDeviceGetTemperature", d.handle, 0, uintptr(unsafe.Pointer(&degrees)))
	return int(degrees), err
}

func (d nvmlDevice) ecc() (on bool, err error) {
	var current, pending uint32
	err = d.nvml.do("nvmlDeviceGetEccMode", d.handle, uintptr(unsafe.Pointer(&current)), uintptr(unsafe.Pointer(&pending)))
	return current == 1, err
}

// eccErrors since the driver was loaded: kind 0 corrected, 1 uncorrected.
func (d nvmlDevice) eccErrors(kind uintptr) (int64, error) {
	var count uint64
	err := d.nvml.do("nvmlDeviceGetTotalEccErrors", d.handle, kind, 0, uintptr(unsafe.Pointer(&count)))
	return int64(count), err
}

// throttle is a set of bits, nvmlClocksEventReasons.
func (d nvmlDevice) throttle() (uint64, error) {
	var reasons uint64
	err := d.nvml.do(d.nvml.newest("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
		d.handle, uintptr(unsafe.Pointer(&reasons)))
	return reasons, err
}

func (d nvmlDevice) persistence() (on bool, err error) {
	var mode uint32
	err = d.nvml.do("nvmlDeviceGetPersistenceMode", d.handle, uintptr(unsafe.Pointer(&mode)))
	return mode == 1, err
}

// remapped says what became of bad rows of memory, on Ampere and newer.
func (d nvmlDevice) remapped() (pending, failed bool, err error) {
	var corrected, uncorrected, waits, broken uint32
	err = d.nvml.do("nvmlDeviceGetRemappedRows", d.handle, uintptr(unsafe.Pointer(&corrected)),
		uintptr(unsafe.Pointer(&uncorrected)), uintptr(unsafe.Pointer(&waits)), uintptr(unsafe.Pointer(&broken)))
	return waits != 0, broken != 0, err
}

// retiring says that bad pages of memory wait for a reset to be retired, before Ampere.
func (d nvmlDevice) retiring() (bool, error) {
	var pending uint32
	err := d.nvml.do("nvmlDeviceGetRetiredPagesPendingStatus", d.handle, uintptr(unsafe.Pointer(&pending)))
	return pending == 1, err
}

// processes is how many compute on the device, ours too.
func (d nvmlDevice) processes() (int, error) {
	var count uint32
	err := d.nvml.do(d.nvml.newest("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses"),
		d.handle, uintptr(unsafe.Pointer(&count)), 0)
	// Asked without room for them, it says how many there are.
	if refused, ok := err.(*nvmlError); ok && refused.code == nvmlInsufficientSize {
		err = nil
	}
	return int(count), err
}
