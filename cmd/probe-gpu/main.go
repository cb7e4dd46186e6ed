// Probe-gpu loads NVIDIA's driver and tests the GPUs of its container. `probe gpu` starts it,
// follows what it prints (framework/probe.GPUEvent, one JSON object a line), and makes the
// result: this program may hang or crash inside the driver at any time.
//
// It is linked to glibc, as the driver is; `probe` is not, and can tell that glibc is missing.
package main

import (
	"flag"
	"os"

	"aiv.internal/conformance/framework/cuda"
	"aiv.internal/conformance/framework/probe"
)

func main() {
	var o probe.GPUOptions
	o.Flags(flag.CommandLine)
	health := flag.Bool("health", false, "ask only how the devices are")
	flag.Parse() // ends with 2 on wrong use
	if *health {
		cuda.Health(os.Stdout, o)
		return
	}
	cuda.Run(os.Stdout, o)
}
