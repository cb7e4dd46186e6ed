package cuda

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"aiv.internal/conformance/framework/probe"
)

// leastVersion is CUDA 9.0: the first that knows Volta, and PTX 6.0.
const leastVersion = 9000

// open loads the driver's library.
func (s *session) open() (string, error) {
	handle, err := openLibrary(probe.CUDALibrary, s.options.Library)
	switch {
	case errors.Is(err, errNotFound):
		where := "neither in the library path nor in " + strings.Join(probe.DriverFolders()[:3], ", ") + ", ..."
		if s.options.Library != "" {
			where = "not in " + s.options.Library
		}
		return "", &probe.Trouble{Kind: probe.NoDriverLibrary, Message: probe.CUDALibrary + " is not in the container (" + where + "): nothing injected the driver. " +
			"Look whether the pod has the RuntimeClass (or the node the default runtime) of NVIDIA's container toolkit, whether its CDI files list the library, and whether NVIDIA_DRIVER_CAPABILITIES contains compute"}
	case err != nil && strings.Contains(err.Error(), "GLIBC"):
		return "", &probe.Trouble{Kind: probe.NoGlibc, Message: "the driver needs a newer glibc than this image has: " + err.Error()}
	case err != nil:
		return "", &probe.Trouble{Kind: probe.NoDriverLibrary, Message: "the driver's library is there, but cannot be loaded; what the container toolkit injected is not complete, or an empty file of the image hides it: " + err.Error()}
	}
	s.cuda = driver{s.library(handle)}
	return loadedFrom(probe.CUDALibrary), nil
}

// initialise brings the driver up: user space meets kernel module here.
func (s *session) initialise() (string, error) {
	version, err := s.cuda.version()
	if err != nil {
		return "", err
	}
	s.facts.CUDA = fmt.Sprintf("%d.%d", version/1000, version%1000/10)
	known := s.facts
	s.emit(probe.GPUEvent{Result: &known}) // the next call may be the last
	if version < leastVersion {
		return "", &probe.Trouble{Kind: probe.DriverTooOld, Message: "the driver supports CUDA " + s.facts.CUDA + " at most: " + tooOld}
	}
	return "CUDA " + s.facts.CUDA, s.cuda.do("cuInit", 0)
}

// enumerate compares the devices that the driver shows with those that the pod asked for.
func (s *session) enumerate() (string, error) {
	count, err := s.cuda.count()
	if err != nil {
		return "", err
	}
	s.facts.Count = count
	var names []string
	for ordinal := range count {
		d, err := s.describe(ordinal)
		if err != nil {
			return "", err
		}
		s.devices = append(s.devices, d)
		s.facts.Devices = append(s.facts.Devices, d.GPUDevice)
		s.facts.Simulated = s.facts.Simulated || simulated(d.Name)
		names = append(names, d.Name+" "+d.UUID)
	}
	detail := strings.Join(names, ", ")
	switch {
	case s.options.NoGPU || count == s.options.Expect:
		return detail, nil
	case count == 0:
		return detail, &probe.Trouble{Kind: probe.NoDevice, Message: "the driver shows no device: look whether CUDA_VISIBLE_DEVICES hides it, and whether with MIG the pod asked for an instance"}
	case count > s.options.Expect:
		return detail, &probe.Trouble{Kind: probe.WrongDeviceCount, Message: fmt.Sprintf("%d devices are visible where %d was asked for (%s): the container sees what others were given. "+
			"Look whether the device plugin's list strategy and the container toolkit agree, and whether the toolkit accepts NVIDIA_VISIBLE_DEVICES from an image or an unprivileged pod", count, s.options.Expect, detail)}
	}
	return detail, &probe.Trouble{Kind: probe.WrongDeviceCount, Message: fmt.Sprintf("%d of %d devices are visible (%s): CUDA uses one MIG instance only, "+
		"CUDA_VISIBLE_DEVICES may hide some, or one has failed since it was handed out", count, s.options.Expect, detail)}
}

// simulated tells a device of a simulated driver by its own name for itself.
func simulated(name string) bool { return strings.Contains(strings.ToLower(name), "simulated") }

// describe asks for what identifies a device.
func (s *session) describe(ordinal int) (*device, error) {
	d := &device{}
	name, uuid, memory := make([]byte, 256), make([]byte, 16), new(uint64)
	major, minor := 0, 0
	getUUID, known := s.cuda.has("cuDeviceGetUuid_v2", "cuDeviceGetUuid") // the first tells MIG instances apart
	for _, ask := range []func() error{
		func() error {
			return s.cuda.do("cuDeviceGet", uintptr(unsafe.Pointer(&d.handle)), uintptr(ordinal))
		},
		func() error {
			return s.cuda.do("cuDeviceGetName", uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)), uintptr(d.handle))
		},
		func() error {
			if !known {
				return nil
			}
			return s.cuda.do(getUUID, uintptr(unsafe.Pointer(&uuid[0])), uintptr(d.handle))
		},
		func() error {
			return s.cuda.do("cuDeviceTotalMem_v2", uintptr(unsafe.Pointer(memory)), uintptr(d.handle))
		},
		func() (err error) { major, err = s.cuda.attribute(d.handle, attributeMajor); return err },
		func() (err error) { minor, err = s.cuda.attribute(d.handle, attributeMinor); return err },
	} {
		if err := ask(); err != nil {
			return nil, err
		}
	}
	d.Name, d.Memory, d.Capability = goString(name), int64(*memory), fmt.Sprintf("%d.%d", major, minor)
	// The driver names an instance after its profile: "NVIDIA A100-SXM4-40GB MIG 1g.5gb".
	d.MIG = strings.Contains(d.Name, " MIG ")
	d.UUID = uuidText(d.MIG, uuid)
	return d, nil
}

// uuidText renders a UUID as nvidia-smi does.
func uuidText(mig bool, uuid []byte) string {
	kind := "GPU"
	if mig {
		kind = "MIG"
	}
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", kind, uuid[:4], uuid[4:6], uuid[6:8], uuid[8:10], uuid[10:])
}

// takeContext retains the device's primary context, as applications of the CUDA runtime do.
func (s *session) takeContext(d *device) (string, error) {
	var context uint64
	if err := s.cuda.do("cuDevicePrimaryCtxRetain", uintptr(unsafe.Pointer(&context)), uintptr(d.handle)); err != nil {
		return "", err
	}
	d.context = context
	return "", s.cuda.do("cuCtxSetCurrent", uintptr(context))
}

// compileKernels has the driver compile our kernels for the device.
func (s *session) compileKernels(d *device) (string, error) {
	module, err := s.cuda.compile(ptx)
	if err != nil {
		return "", err
	}
	d.module = module
	return "PTX 6.0 compiled for compute capability " + d.Capability, nil
}
