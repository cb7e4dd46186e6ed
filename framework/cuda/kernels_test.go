package cuda

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/probe"
)

// The command in kernels.go makes the PTX that is here, comments and names of the compiler aside.
func TestKernelsAreCompiledFromTheirSource(t *testing.T) {
	clang, err := exec.LookPath("clang-14")
	if err != nil {
		t.Skip("clang-14, which makes the PTX, is not installed")
	}
	made := filepath.Join(t.TempDir(), "kernels.ptx")
	command := exec.CommandContext(t.Context(), clang, "--target=nvptx64-nvidia-cuda", "-x", "cl", "-cl-std=CL2.0", "-O2", "-fno-unroll-loops",
		"-Xclang", "-target-cpu", "-Xclang", "sm_70", "-Xclang", "-target-feature", "-Xclang", "+ptx60", "-S", "-o", made, "kernels.cl")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if text, err := os.ReadFile(made); err != nil || string(text) != ptx {
		t.Errorf("kernels.ptx is not what kernels.cl makes (%v)", err)
	}
}

func TestPTXIsForEveryDeviceFromVoltaOn(t *testing.T) {
	for _, want := range []string{".version 6.0\n", ".target sm_70\n", ".address_size 64\n"} {
		if !strings.Contains(ptx, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, kernel := range []string{vectorAdd, matrixProduct, patternWrite, patternCheck} {
		if !strings.Contains(ptx, ".visible .entry "+kernel+"(") {
			t.Errorf("no kernel %s", kernel)
		}
	}
	// Flushing small numbers to zero, or fusing what is not fused, would change the bits.
	if strings.Contains(ptx, ".ftz") || !strings.Contains(ptx, "add.rn.f32") || !strings.Contains(ptx, "fma.rn.f32") {
		t.Error("the arithmetic is not IEEE 754's")
	}
}

func TestUUIDs(t *testing.T) {
	uuid := []byte{0x51, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xff}
	if got := uuidText(false, uuid); got != "GPU-51000001-0203-0405-0607-08090a0b0cff" {
		t.Error(got)
	}
	if got := uuidText(true, uuid); got != "MIG-51000001-0203-0405-0607-08090a0b0cff" {
		t.Error(got)
	}
}

func TestSlowestRatesCount(t *testing.T) {
	rates := slower(slower(nil, probe.GPURates{HostToDevice: 25, DeviceToHost: 20, Device: 3000}), probe.GPURates{HostToDevice: 12, DeviceToHost: 24, Device: 2000})
	if rates.HostToDevice != 12 || rates.DeviceToHost != 20 || rates.Device != 2000 {
		t.Errorf("%+v", rates)
	}
}
