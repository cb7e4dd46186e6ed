package cuda

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"aiv.internal/conformance/framework/probe"
)

// CallError is a call that the driver refused.
type CallError struct {
	// Call is the function, such as "cuInit", and Code what it returned: CUresult, by
	// https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html.
	Call string
	Code int32
	// More is what else the driver said, such as its compiler's log.
	More string
}

func (e *CallError) Error() string {
	return fmt.Sprintf("%s: %s", e.Call, CodeText(e.Code))
}

// driver is the CUDA driver API, libcuda. It binds no more of it than the probe uses.
type driver struct{ *library }

// do calls a function of the driver API.
//
//go:uintptrescapes
func (d driver) do(name string, args ...uintptr) error {
	code, known := d.call(name, args...)
	switch {
	case !known:
		return &probe.Trouble{Kind: probe.DriverTooOld, Message: "the driver's library has no " + name + ": " + tooOld}
	case code != success:
		return &CallError{Call: name, Code: code, More: d.words(code)}
	}
	return nil
}

// words are the driver's own for a code that we have none for: it may be newer than we are.
func (d driver) words(code int32) string {
	if _, ours := meanings[code]; ours {
		return ""
	}
	var all []string
	for _, function := range []string{"cuGetErrorName", "cuGetErrorString"} {
		var word *byte // points into the library
		if result, known := d.call(function, uintptr(code), uintptr(unsafe.Pointer(&word))); known && result == success {
			all = append(all, text(word))
		}
	}
	return strings.Join(all, ", ")
}

// version is the newest CUDA version that the driver supports, 1000 major + 10 minor. It
// needs no initialised driver.
func (d driver) version() (int, error) {
	var version int32
	err := d.do("cuDriverGetVersion", uintptr(unsafe.Pointer(&version)))
	return int(version), err
}

func (d driver) count() (int, error) {
	var count int32
	err := d.do("cuDeviceGetCount", uintptr(unsafe.Pointer(&count)))
	return int(count), err
}

// Attributes of a device, CUdevice_attribute.
const (
	attributeMajor = 75
	attributeMinor = 76
)

func (d driver) attribute(handle, attribute int32) (int, error) {
	var value int32
	err := d.do("cuDeviceGetAttribute", uintptr(unsafe.Pointer(&value)), uintptr(attribute), uintptr(handle))
	return int(value), err
}

// allocate takes memory of the device, in bytes.
func (d driver) allocate(size int64) (memory, error) {
	var address uint64
	err := d.do("cuMemAlloc_v2", uintptr(unsafe.Pointer(&address)), uintptr(size))
	return memory{d, address, size}, err
}

// memory is memory of the device.
type memory struct {
	driver  driver
	address uint64
	size    int64
}

func (m memory) free() error {
	return m.driver.do("cuMemFree_v2", uintptr(m.address))
}

// freeMemory is how many bytes of the current device nobody uses.
func (d driver) freeMemory() (int64, error) {
	var free, total uint64
	err := d.do("cuMemGetInfo_v2", uintptr(unsafe.Pointer(&free)), uintptr(unsafe.Pointer(&total)))
	return int64(free), err
}

// number is what the kernels work with.
type number interface{ ~uint64 | ~float32 }

func bytesOf[T number](values []T) int64 {
	return int64(len(values)) * int64(unsafe.Sizeof(values[0]))
}

// upload copies values to the beginning of the memory.
func upload[T number](m memory, values []T) error {
	return m.driver.do("cuMemcpyHtoD_v2", uintptr(m.address), uintptr(unsafe.Pointer(unsafe.SliceData(values))), uintptr(bytesOf(values)))
}

// download copies from offset bytes into the memory on.
func download[T number](values []T, m memory, offset int64) error {
	return m.driver.do("cuMemcpyDtoH_v2", uintptr(unsafe.Pointer(unsafe.SliceData(values))), uintptr(m.address)+uintptr(offset), uintptr(bytesOf(values)))
}

// grid is how many threads run a kernel: blocks by threads, in two dimensions.
type grid struct{ blocksX, blocksY, threadsX, threadsY int }

// launch runs a kernel and waits for its end. Each parameter points to a value of the type
// that the kernel declares.
func (d driver) launch(function uint64, g grid, parameters ...unsafe.Pointer) error {
	err := d.do("cuLaunchKernel", uintptr(function),
		uintptr(g.blocksX), uintptr(g.blocksY), 1, uintptr(g.threadsX), uintptr(g.threadsY), 1,
		0, 0, uintptr(unsafe.Pointer(unsafe.SliceData(parameters))), 0)
	runtime.KeepAlive(parameters)
	if err != nil {
		return err
	}
	// What goes wrong inside a kernel comes out here.
	return d.do("cuCtxSynchronize")
}

// Options of the driver's compiler, CUjit_option.
const (
	jitErrorLog     = 5
	jitErrorLogSize = 6
)

// jitValues are the options' values, each the size of a pointer.
type jitValues struct {
	log  *byte
	size uintptr
}

// compile loads PTX into the current context. The compiler's own words are in the error.
func (d driver) compile(source string) (uint64, error) {
	var module uint64
	image, log := cString(source), make([]byte, 4096)
	options, values := [2]int32{jitErrorLog, jitErrorLogSize}, jitValues{&log[0], uintptr(len(log))}
	err := d.do("cuModuleLoadDataEx", uintptr(unsafe.Pointer(&module)), uintptr(unsafe.Pointer(&image[0])),
		uintptr(len(options)), uintptr(unsafe.Pointer(&options)), uintptr(unsafe.Pointer(&values)))
	if refused, ok := err.(*CallError); ok {
		refused.More = strings.TrimSpace(goString(log) + " " + refused.More)
	}
	return module, err
}

func (d driver) function(module uint64, name string) (uint64, error) {
	var function uint64
	symbol := cString(name)
	err := d.do("cuModuleGetFunction", uintptr(unsafe.Pointer(&function)), uintptr(module), uintptr(unsafe.Pointer(&symbol[0])))
	return function, err
}
