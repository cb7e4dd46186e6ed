package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aiv.internal/conformance/framework/probe"
)

// programs are probe and probe-gpu as they are shipped, and driver a folder with the lab's
// simulated libcuda and libnvidia-ml, which executes the kernels it is given on the CPU.
var programs, driver, noDriver string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "probe-test-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) error {
	programs = filepath.Join(dir, "bin")
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", programs+"/", ".", "../probe-gpu")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return err
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		noDriver = "gcc, which makes the simulated driver, is not installed"
		return nil
	}
	driver = filepath.Join(dir, "driver")
	command = exec.Command("../lab/gpu/driver/build.sh", driver)
	command.Stderr = os.Stderr
	return command.Run()
}

// sources has this test read what the programs are built from: `go test` keeps a result until
// a file changes that the test has read, and does not know what other programs read.
var sources = sync.OnceFunc(func() {
	for _, dir := range []string{"../probe-gpu", "../lab/gpu/driver", "../../framework/cuda"} {
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				_, err = os.ReadFile(path)
			}
			return err
		})
	}
})

// testGPU runs `probe gpu` as a pod does, with the simulated driver and its environment.
func testGPU(t *testing.T, environment string, args ...string) probe.GPUResult {
	t.Helper()
	sources()
	if noDriver != "" {
		t.Skip(noDriver)
	}
	left := filepath.Join(t.TempDir(), "result")
	command := exec.Command(filepath.Join(programs, "probe"), append([]string{"gpu", "--library=" + driver, "--memory=16777216"}, args...)...)
	command.Env = append(os.Environ(), probe.ResultVariable+"="+left)
	if environment != "" {
		command.Env = append(command.Env, strings.Fields(environment)...)
	}
	printed, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	message, err := os.ReadFile(left)
	if err != nil || len(message) > 4096 || strings.TrimSpace(string(printed)) != string(message) {
		t.Fatalf("%v: left %d bytes, printed %s", err, len(message), printed)
	}
	result, err := probe.Decode[probe.GPUResult](message)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// names lists the stages that were tried.
func names(r probe.GPUResult) string {
	var all []string
	for _, stage := range r.Stages {
		all = append(all, stage.Name)
	}
	return strings.Join(all, ", ")
}

func TestHealthyGPU(t *testing.T) {
	r := testGPU(t, "")
	if r.Broken() != nil || names(r) != "device files, driver library, init, devices, context, kernel, sum, product, memory, rates, health" {
		t.Fatalf("%s: %+v", names(r), r.Broken())
	}
	if r.Driver != "550.54.15" || r.CUDA != "12.4" || r.Count != 1 || !r.Simulated {
		t.Errorf("%+v", r)
	}
	if d := r.Devices[0]; d.Name != "Simulated GPU (AIV lab)" || d.UUID != "GPU-51000000-0000-0000-0000-000000000000" || d.Memory != 32<<20 || d.Capability != "7.0" || d.MIG {
		t.Errorf("%+v", d)
	}
	if r.Rates == nil || r.Rates.HostToDevice <= 0 || r.Rates.DeviceToHost <= 0 || r.Rates.Device <= 0 || r.Rates.Bytes != 8<<20 || !strings.Contains(r.Rates.Method, "best of 5") {
		t.Errorf("%+v", r.Rates)
	}
	if r.Health == nil || r.Health.Temperature < 10 || r.Health.ECC != "on" || !r.Health.Persistence || r.Health.Processes != 0 {
		t.Errorf("%+v", r.Health)
	}
	for stage, words := range map[string]string{
		probe.StageSum: "1048576 sums, none wrong", probe.StageProduct: "256 x 256 elements, none wrong", probe.StageMemory: "16777216 bytes, every bit as 0 and as 1",
	} {
		if got := r.Stage(stage); got.DriverMs <= 0 || got.DriverMs > got.Ms || !strings.Contains(got.Detail, words) {
			t.Errorf("%+v", got)
		}
	}
}

func TestFaultsOfGPU(t *testing.T) {
	for _, c := range []struct {
		fault, stage, kind, call, code, words string
	}{
		{"no-device", probe.StageInit, probe.NoDevice, "cuInit", "CUDA_ERROR_NO_DEVICE (100)", "sees no GPU"},
		{"two-visible", probe.StageDevices, probe.WrongDeviceCount, "", "", "2 devices are visible where 1 was asked for"},
		{"driver-old", probe.StageInit, probe.DriverTooOld, "", "", "CUDA 8.0 at most"},
		{"driver-mismatch", probe.StageInit, probe.DriverTooOld, "cuInit", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)", "different versions"},
		{"fabric", probe.StageInit, probe.DriverError, "cuInit", "CUDA_ERROR_SYSTEM_NOT_READY (802)", "nvidia-fabricmanager"},
		{"busy", probe.StageContext, probe.DeviceBusy, "cuDevicePrimaryCtxRetain", "CUDA_ERROR_DEVICE_UNAVAILABLE (46)", "another process"},
		{"crash", probe.StageContext, probe.DriverCrashed, "cuDevicePrimaryCtxRetain", "", "the driver crashed in cuDevicePrimaryCtxRetain: SIGSEGV"},
		{"jit-refuses", probe.StageKernel, probe.PTXRefused, "cuModuleLoadDataEx", "CUDA_ERROR_INVALID_PTX (218)", "The driver's words: ptxas"},
		{"no-memory", probe.StageSum, probe.OutOfDeviceMemory, "cuMemAlloc_v2", "CUDA_ERROR_OUT_OF_MEMORY (2)", "who holds it"},
		{"wrong-sum", probe.StageSum, probe.WrongResult, "", "", "1 of 1048576 sums"},
		{"wrong-product", probe.StageProduct, probe.WrongResult, "", "", "1 of 65536 elements"},
		{"memory-bit", probe.StageMemory, probe.BadMemory, "", "", "loses data"},
		{"ecc", probe.StageHealth, probe.UncorrectedECC, "", "", "3 ECC errors"},
		{"unhealthy-throttle", probe.StageHealth, probe.DeviceUnhealthy, "", "", "slows it down"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			r := testGPU(t, "SIMULATED_GPU_FAULT="+c.fault)
			broken := r.Broken()
			if broken == nil || broken.Name != c.stage || broken.Trouble.Kind != c.kind || broken.Call != c.call || broken.Code != c.code || !strings.Contains(broken.Trouble.Message, c.words) {
				t.Fatalf("%s: %+v %+v", names(r), broken, r)
			}
			// Nothing is tried above the broken layer, but the health always.
			if last := r.Stages[len(r.Stages)-1]; last.Name != probe.StageHealth || broken.Name != probe.StageHealth && r.Stages[len(r.Stages)-2].Name != c.stage {
				t.Error(names(r))
			}
		})
	}
}

func TestHangOfGPU(t *testing.T) {
	for _, c := range []struct{ fault, stage, words string }{
		{"hang-init", probe.StageInit, "driver hangs in cuInit (no answer within 6s)"},
		{"hang-kernel", probe.StageSum, "driver hangs in cuCtxSynchronize (no answer within 2s)"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			began := time.Now()
			r := testGPU(t, "SIMULATED_GPU_FAULT="+c.fault, "--stage-time=2s")
			broken := r.Broken()
			if broken == nil || broken.Name != c.stage || broken.Trouble.Kind != probe.DriverHangs || !strings.Contains(broken.Trouble.Message, c.words) {
				t.Fatalf("%+v", r)
			}
			if broken.Ms < 1900 || time.Since(began) > 30*time.Second {
				t.Errorf("%v ms, %v in all", broken.Ms, time.Since(began))
			}
			if r.CUDA != "12.4" || r.Driver != "550.54.15" || r.Health == nil {
				t.Errorf("what was known is lost: %+v", r)
			}
		})
	}
}

func TestSeveralGPUs(t *testing.T) {
	const two = "SIMULATED_GPU_UUIDS=GPU-51000000-0000-0000-0000-00000000000a,GPU-51000000-0000-0000-0000-00000000000b"
	r := testGPU(t, two, "--expect=2")
	if r.Broken() != nil || r.Count != 2 || len(r.Devices) != 2 || r.Devices[1].UUID != "GPU-51000000-0000-0000-0000-00000000000b" {
		t.Fatalf("%+v %+v", r.Broken(), r)
	}
	r = testGPU(t, two+" SIMULATED_GPU_FAULT=wrong-sum", "--expect=2")
	if broken := r.Broken(); broken == nil || !strings.HasPrefix(broken.Trouble.Message, "GPU-51000000-0000-0000-0000-00000000000a: ") {
		t.Errorf("which one is wrong is not said: %+v", broken)
	}
	r = testGPU(t, "", "--expect=2")
	if broken := r.Broken(); broken == nil || broken.Trouble.Kind != probe.WrongDeviceCount || !strings.Contains(broken.Trouble.Message, "1 of 2 devices") {
		t.Errorf("%+v", broken)
	}
}

func TestNegativeControl(t *testing.T) {
	for fault, want := range map[string]int{"": 1, "no-device": 0} {
		r := testGPU(t, "SIMULATED_GPU_FAULT="+fault, "--no-gpu")
		if r.Broken() != nil || r.Count != want || r.Stage(probe.StageContext) != nil || r.Stage(probe.StageHealth) != nil {
			t.Errorf("%q: %+v", fault, r)
		}
	}
	r := testGPU(t, "SIMULATED_GPU_FAULT=no-device", "--no-gpu", "--library="+t.TempDir())
	if r.Broken() != nil || r.Count != 0 {
		t.Errorf("without a library: %+v", r)
	}
	// A driver that does not answer, or with an error of its own, has said nothing about devices.
	for fault, kind := range map[string]string{"hang-init": probe.DriverHangs, "fabric": probe.DriverError, "driver-old": probe.DriverTooOld} {
		r = testGPU(t, "SIMULATED_GPU_FAULT="+fault, "--no-gpu", "--stage-time=1s")
		if broken := r.Broken(); broken == nil || broken.Trouble.Kind != kind {
			t.Errorf("%s: %+v", fault, r)
		}
	}
}

func TestGPUWithoutDriver(t *testing.T) {
	r := testGPU(t, "", "--library="+t.TempDir())
	if broken := r.Broken(); broken == nil || broken.Trouble.Kind != probe.NoDriverLibrary || !strings.Contains(broken.Trouble.Message, "nothing injected") {
		t.Errorf("%+v", broken)
	}
	// A file that is no library: a mount that did not come true.
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, probe.CUDALibrary), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r = testGPU(t, "", "--library="+empty)
	if broken := r.Broken(); broken == nil || broken.Trouble.Kind != probe.NoDriverLibrary || !strings.Contains(broken.Trouble.Message, "cannot be loaded") {
		t.Errorf("%+v", broken)
	}
	// The health is no trouble without its library.
	onlyCUDA := t.TempDir()
	if err := os.Symlink(filepath.Join(driver, probe.CUDALibrary), filepath.Join(onlyCUDA, probe.CUDALibrary)); err != nil {
		t.Fatal(err)
	}
	r = testGPU(t, "", "--library="+onlyCUDA)
	if r.Broken() != nil || r.Health != nil || !strings.Contains(r.Stage(probe.StageHealth).Detail, "unsupported") {
		t.Errorf("%+v", r)
	}
}

// TestBrokenLibraryInThePath: where the image's own library path leads to a library that cannot
// be loaded, so would every program of a user, whatever lies in other folders.
func TestBrokenLibraryInThePath(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, probe.CUDALibrary), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(filepath.Join(programs, "probe-gpu"))
	command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+folder)
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		var event probe.GPUEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if event.Stage != nil && event.Stage.Name == probe.StageLibrary {
			if trouble := event.Stage.Trouble; trouble == nil || trouble.Kind != probe.NoDriverLibrary || !strings.Contains(trouble.Message, "cannot be loaded") {
				t.Errorf("%+v", trouble)
			}
			return
		}
	}
	t.Errorf("the library was not looked for: %s", output)
}

func TestGPUIsToldToStop(t *testing.T) {
	if noDriver != "" {
		t.Skip(noDriver)
	}
	left := filepath.Join(t.TempDir(), "result")
	command := exec.Command(filepath.Join(programs, "probe"), "gpu", "--library="+driver, "--stage-time=5m")
	command.Env = append(os.Environ(), probe.ResultVariable+"="+left, "SIMULATED_GPU_FAULT=hang-init")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	message, _ := os.ReadFile(left)
	r, err := probe.Decode[probe.GPUResult](message)
	if err != nil || r.Broken() == nil || r.Broken().Name != probe.StageInit || r.Broken().Trouble.Kind != probe.Stopped {
		t.Errorf("%v: %s", err, message)
	}
}

func TestCopy(t *testing.T) {
	to := t.TempDir()
	command := exec.Command(filepath.Join(programs, "probe"), "copy", to)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for name, limit := range map[string]int64{"probe": 8e6, "probe-gpu": 5e6} {
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Fatal(err, info)
		}
		if info.Size() > limit {
			t.Errorf("%s has %d bytes, more than %d", name, info.Size(), limit)
		}
	}
	if entries, _ := os.ReadDir(to); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
	// The copy does what the original does, and copies itself.
	output, err := exec.Command(filepath.Join(to, "probe"), "exit", strconv.Itoa(7)).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 7 {
		t.Errorf("%v\n%s", err, output)
	}
	if output, err := exec.Command(filepath.Join(to, "probe"), "copy", "/no/such/folder").CombinedOutput(); err == nil {
		t.Errorf("%s", output)
	}
}

func TestEventsOfTheProgram(t *testing.T) {
	if noDriver != "" {
		t.Skip(noDriver)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	output, err := exec.CommandContext(ctx, filepath.Join(programs, "probe-gpu"), "--no-gpu", "--library="+driver).Output()
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for line := range strings.Lines(string(output)) {
		var event probe.GPUEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if event.Call != "" {
			calls = append(calls, event.Call)
		}
	}
	if got := strings.Join(calls, " "); !strings.HasPrefix(got, "cuDriverGetVersion cuInit cuDeviceGetCount cuDeviceGet ") {
		t.Error(got)
	}
}
