package driver_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kernels is the PTX that the probe brings: the driver must run just that.
const kernels = "../../../../framework/cuda/kernels.ptx"

// faults are all that fault.c knows.
var faults = []string{
	"no-device", "two-visible", "driver-old", "driver-mismatch", "jit-refuses", "wrong-sum", "wrong-product", "memory-bit",
	"ecc", "hang-init", "hang-kernel", "fabric", "busy", "no-memory", "crash", "unhealthy-throttle",
}

// built compiles the libraries and the program that tests them, with these flags too.
func built(t *testing.T, flags ...string) (folder, selftest string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc")
	}
	folder = t.TempDir()
	build := exec.Command("sh", "build.sh", folder)
	build.Env = append(os.Environ(), "CFLAGS="+strings.Join(flags, " "))
	run(t, build)
	sources, err := filepath.Glob("selftest/*.c")
	if err != nil {
		t.Fatal(err)
	}
	selftest = filepath.Join(folder, "selftest")
	// Without contraction: what the kernels compute is compared bit by bit.
	args := []string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-o", selftest}
	run(t, exec.Command("gcc", slices.Concat(args, flags, sources, []string{"-ldl", "-lm"})...))
	return folder, selftest
}

func run(t *testing.T, c *exec.Cmd) {
	t.Helper()
	output, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, output)
	}
	t.Logf("%s", output)
}

// withFault is the environment of a test, free of what the caller's may say.
func withFault(fault string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SIMULATED_GPU_") })
	return append(env, "SIMULATED_GPU_FAULT="+fault)
}

func TestDriver(t *testing.T) {
	folder, selftest := built(t)
	t.Run("healthy", func(t *testing.T) {
		c := exec.Command(selftest, folder, kernels)
		c.Env = withFault("")
		run(t, c)
	})
	for _, fault := range faults {
		t.Run(fault, func(t *testing.T) {
			c := exec.Command(selftest, folder, kernels, fault)
			c.Env = withFault(fault)
			run(t, c)
		})
	}
	t.Run("two injected", func(t *testing.T) {
		c := exec.Command(selftest, folder, kernels, "two-injected")
		c.Env = append(withFault(""), "SIMULATED_GPU_UUIDS=GPU-51000000-0000-0000-0000-000000000001,GPU-ABcd0000-0000-0000-0000-000000000002")
		run(t, c)
	})
	t.Run("libcuda.so.1", func(t *testing.T) { checkLibrary(t, filepath.Join(folder, "libcuda.so.1"), "cu") })
	t.Run("libnvidia-ml.so.1", func(t *testing.T) { checkLibrary(t, filepath.Join(folder, "libnvidia-ml.so.1"), "nvml") })
}

// TestSanitized lets the compiler watch for reads and writes out of bounds and for what C does
// not define. Not optimised: with all that, the compiler would take half a minute.
func TestSanitized(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	folder, selftest := built(t, "-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
	c := exec.Command(selftest, folder, kernels)
	c.Env = withFault("")
	run(t, c)
}

// checkLibrary: the library has the name that programs ask the loader for, shows nothing but
// NVIDIA's calls, and needs no more than the C library.
func checkLibrary(t *testing.T, path, prefix string) {
	library, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer library.Close()
	if names, err := library.DynString(elf.DT_SONAME); err != nil || !slices.Equal(names, []string{filepath.Base(path)}) {
		t.Errorf("soname %q, %v", names, err)
	}
	needed, err := library.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range needed {
		if !slices.Contains([]string{"libc.so.6", "libm.so.6", "libpthread.so.0"}, name) && !strings.HasPrefix(name, "ld-linux") {
			t.Errorf("needs %s", name)
		}
	}
	symbols, err := library.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF {
			continue
		}
		calls++
		if !strings.HasPrefix(s.Name, prefix) {
			t.Errorf("shows %s", s.Name)
		}
	}
	if calls < 15 {
		t.Errorf("shows only %d calls", calls)
	}
}
