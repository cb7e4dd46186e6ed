package device

// Faults that the container runtime looks for at each container. The table of the lab's
// faults describes them.
const (
	FaultLibraryMissing = "gpu-library-missing"
	FaultLeaks          = "gpu-leaks"
)

// Faults of the simulated driver itself, which the runtime hands on to it.
const (
	FaultNoDevice     = "gpu-no-device"
	FaultTwoVisible   = "gpu-two-visible"
	FaultDriverOld    = "gpu-driver-old"
	FaultJITRefuses   = "gpu-jit-refuses"
	FaultWrongSum     = "gpu-wrong-sum"
	FaultWrongProduct = "gpu-wrong-product"
	FaultMemoryBit    = "gpu-memory-bit"
	FaultECC          = "gpu-ecc"
	FaultHangInit     = "gpu-hang-init"
	FaultHangKernel   = "gpu-hang-kernel"
	FaultCrash        = "gpu-crash"
)

// DriverFaults are the driver's own words for the faults that it has.
var DriverFaults = map[string]string{
	FaultNoDevice:     "no-device",
	FaultTwoVisible:   "two-visible",
	FaultDriverOld:    "driver-old",
	FaultJITRefuses:   "jit-refuses",
	FaultWrongSum:     "wrong-sum",
	FaultWrongProduct: "wrong-product",
	FaultMemoryBit:    "memory-bit",
	FaultECC:          "ecc",
	FaultHangInit:     "hang-init",
	FaultHangKernel:   "hang-kernel",
	FaultCrash:        "crash",
}
