package probe

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestArgumentsOfGPU(t *testing.T) {
	for _, want := range []GPUOptions{
		{Expect: 1, Memory: DefaultGPUMemory, StageTime: DefaultGPUStageTime},
		{Expect: 4, Memory: 1 << 24, StageTime: 3 * time.Second, Library: "/lib", NoGPU: true},
	} {
		flags := flag.NewFlagSet("gpu", flag.ContinueOnError)
		var got GPUOptions
		got.Flags(flags)
		if err := flags.Parse(want.Args()[1:]); err != nil || got != want {
			t.Errorf("%v: %+v became %+v", err, want, got)
		}
	}
	if got := (GPUOptions{}).Args(); !reflect.DeepEqual(got, []string{"gpu", "--expect=1", "--memory=1073741824", "--stage-time=10s"}) {
		t.Errorf("the zero value is %v", got)
	}
}

func TestResultAlwaysFits(t *testing.T) {
	long := strings.Repeat("<Ω\n>", 900)
	var r GPUResult
	for i := range 20 {
		r.Stages = append(r.Stages, GPUStage{Name: StageProduct, Ms: 123456.78, DriverMs: 123456.78, Call: "cuDevicePrimaryCtxRetain", Code: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222)",
			Detail: long, Trouble: &Trouble{Kind: UncorrectedECC, Message: long}})
		r.Devices = append(r.Devices, GPUDevice{Name: "NVIDIA A100-SXM4-40GB MIG 1g.5gb", UUID: fmt.Sprintf("MIG-51000000-0000-0000-0000-%012d", i), Memory: 1 << 37, Capability: "10.0", MIG: true})
	}
	r.Stages = r.Stages[:11]
	r.Rates = &GPURates{Method: long}
	fitted := r.fitted()
	if text, _ := json.Marshal(fitted); len(text) > maxResult {
		t.Errorf("the result has %d bytes", len(text))
	}
	if len(fitted.Stages) != 11 || fitted.Stages[3].Trouble.Message == "" {
		t.Errorf("%+v", fitted)
	}
	if r.Stages[0].Detail != long || r.Rates.Method != long {
		t.Error("the original was cut as well")
	}
	small := GPUResult{Stages: []GPUStage{{Name: StageInit, Detail: "CUDA 12.4"}}}
	if got := small.fitted(); !reflect.DeepEqual(got, small) {
		t.Errorf("a small result became %+v", got)
	}
}

func TestBrokenStage(t *testing.T) {
	r := GPUResult{Stages: []GPUStage{{Name: StageFiles}, {Name: StageInit, Trouble: &Trouble{Kind: DriverHangs}}, {Name: StageHealth, Trouble: &Trouble{Kind: DeviceUnhealthy}}}}
	if r.Broken() != &r.Stages[1] || r.Stage(StageHealth) != &r.Stages[2] || r.Stage(StageSum) != nil {
		t.Errorf("broken %+v", r.Broken())
	}
	if (GPUResult{}).Broken() != nil {
		t.Error("nothing is broken in nothing")
	}
}

// program leaves a shell script in place of probe-gpu.
func program(t *testing.T, script string) string {
	path := filepath.Join(t.TempDir(), gpuProgram)
	// No other test may fork meanwhile: its child would hold the file open for writing, and
	// such a file cannot be started.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEndsOfTheProgram(t *testing.T) {
	const (
		healthy = "case \"$*\" in *--health*) echo '{\"stage\":{\"name\":\"health\"}}'; exit;; esac\n"
		doing   = healthy + "echo '{\"begin\":\"init\"}'\necho '{\"call\":\"cuInit\"}'\n"
		inInit  = "#!/bin/sh\n" + doing
	)
	for _, c := range []struct {
		name, script      string
		stage, kind, call string
		words             string
	}{
		{"killed by a signal", inInit + "kill -SEGV $$", StageInit, DriverCrashed, "cuInit", "the driver crashed in cuInit: SIGSEGV"},
		{"caught by Go", inInit + "echo 'SIGBUS: bus error' >&2; exit 2", StageInit, DriverCrashed, "cuInit", "in cuInit: SIGBUS"},
		{"caught by Go elsewhere", inInit + "echo '[signal SIGSEGV: segmentation violation code=0x1]' >&2; exit 2", StageInit, DriverCrashed, "cuInit", "in cuInit: SIGSEGV"},
		{"out of memory", inInit + "kill -KILL $$", StageInit, DriverCrashed, "cuInit", "memory limit"},
		{"ended by the library", inInit + "exit 0", StageInit, DriverCrashed, "cuInit", "exit code 0"},
		{"hangs", inInit + "exec sleep 60", StageInit, DriverHangs, "cuInit", "driver hangs in cuInit (no answer within 900ms)"},
		{"hangs with its children", inInit + "sleep 60 & wait", StageInit, DriverHangs, "cuInit", "driver hangs in cuInit"},
		{"hangs deaf", "#!/bin/sh\ntrap '' TERM INT\n" + doing + "while :; do sleep 1; done", StageInit, DriverHangs, "cuInit", "driver hangs in cuInit"},
		{"hangs before all", "#!/bin/sh\nexec sleep 60", StageLibrary, DriverHangs, "", "outside of any call"},
		{"killed between two stages", "#!/bin/sh\n" + healthy + "echo '{\"begin\":\"init\"}'\necho '{\"stage\":{\"name\":\"init\"}}'\nkill -KILL $$", StageInit, DriverCrashed, "", "was killed outside of any call to the driver (SIGKILL): most probably the container's memory limit"},
		{"own defect", inInit + "echo 'panic: oh' >&2; exit 2", StageInit, Other, "cuInit", "panic: oh"},
		{"missing loader", "#!/no/such/ld-linux.so.2\n", StageLibrary, NoGlibc, "", "dynamic loader is missing"},
		{"missing libc", "#!/bin/sh\necho 'probe-gpu: error while loading shared libraries: libdl.so.2: cannot open shared object file' >&2; exit 127", StageLibrary, NoGlibc, "", "libdl.so.2"},
		{"old libc", "#!/bin/sh\necho \"probe-gpu: /lib/libc.so.6: version \\`GLIBC_2.34' not found\" >&2; exit 1", StageLibrary, NoGlibc, "", "GLIBC_2.34"},
		{"not a program", "\x7fELF what", StageLibrary, Other, "", "another processor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			r := superviseGPU(t.Context(), program(t, c.script), GPUOptions{Library: "/x", StageTime: 300 * time.Millisecond}.withDefaults())
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			broken := r.Broken()
			if broken == nil || broken.Name != c.stage || broken.Trouble.Kind != c.kind || broken.Call != c.call || !strings.Contains(broken.Trouble.Message, c.words) {
				t.Errorf("%+v", r)
				if broken != nil {
					t.Errorf("%+v %v", broken, broken.Trouble)
				}
			}
			// The health is tried all the same, by a program of its own, if that can start.
			if (r.Stage(StageHealth) != nil) != (c.kind != NoGlibc) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestSlowThroughout: a program whose stages all take nearly all their time is not waited for
// until the pod's own time is over.
func TestSlowThroughout(t *testing.T) {
	t.Parallel()
	script := `#!/bin/sh
case "$*" in *--health*) echo '{"stage":{"name":"health"}}'; exit ;; esac
while :; do echo '{"begin":"sum"}'; echo '{"call":"cuLaunchKernel"}'; sleep 0.2; echo '{"stage":{"name":"sum"}}'; done
`
	began := time.Now()
	r := superviseGPU(t.Context(), program(t, script), GPUOptions{Library: "/x", StageTime: 500 * time.Millisecond}.withDefaults())
	broken := r.Broken()
	if broken == nil || broken.Trouble.Kind != DriverHangs || !strings.Contains(broken.Trouble.Message, "no end within 3.5s") {
		t.Errorf("%+v", broken)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestPipeThatStaysOpen: what the driver leaves running with the program's output does not keep
// a result that is there.
func TestPipeThatStaysOpen(t *testing.T) {
	t.Parallel()
	script := "#!/bin/sh\necho '{\"begin\":\"health\"}'; echo '{\"stage\":{\"name\":\"health\"}}'; sleep 60 & exit 0\n"
	began := time.Now()
	r := superviseGPU(t.Context(), program(t, script), GPUOptions{Library: "/x", StageTime: 30 * time.Second}.withDefaults())
	if r.Broken() != nil || r.Stage(StageHealth) == nil {
		t.Errorf("%+v", r)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	o := GPUOptions{Library: t.TempDir()}.withDefaults()
	r := superviseGPU(t.Context(), "/no/such/probe-gpu", o)
	if broken := r.Broken(); broken == nil || broken.Trouble.Kind != Missing || !strings.Contains(broken.Trouble.Message, "is missing") {
		t.Errorf("%+v", r)
	}
	path := program(t, "#!/bin/sh\n")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if broken := superviseGPU(t.Context(), path, o).Broken(); broken == nil || broken.Trouble.Kind != Denied {
		t.Errorf("%+v", broken)
	}
}

func TestWhatWasSeenStays(t *testing.T) {
	script := `#!/bin/sh
case "$*" in *--health*)
	echo '{"begin":"health"}'
	echo '{"stage":{"name":"health","ms":1,"driverMs":1},"result":{"driver":"550.54.15","count":0,"health":{"temperature":41,"ecc":"on"},"simulated":true}}'
	exit ;;
esac
echo 'the library says hello'
echo '{"begin":"driver library"}'
echo '{"stage":{"name":"driver library","ms":2,"driverMs":1,"detail":"/lib/libcuda.so.1"}}'
echo '{"begin":"devices"}'
echo '{"stage":{"name":"devices","ms":2,"driverMs":1},"result":{"cuda":"12.4","count":1,"devices":[{"name":"NVIDIA H100","uuid":"GPU-1","memory":85899345920,"capability":"9.0"}]}}'
echo '{"begin":"context"}'
echo '{"call":"cuDevicePrimaryCtxRetain"}'
exec sleep 60
`
	check := func(t *testing.T, r GPUResult, kind string) {
		if broken := r.Broken(); broken == nil || broken.Name != StageContext || broken.Trouble.Kind != kind {
			t.Fatalf("%+v", r)
		}
		if r.CUDA != "12.4" || r.Count != 1 || len(r.Devices) != 1 || len(r.Stages) < 4 || r.Stage(StageLibrary).Detail != "/lib/libcuda.so.1" {
			t.Errorf("%+v", r)
		}
	}
	t.Run("after a hang", func(t *testing.T) {
		r := superviseGPU(t.Context(), program(t, script), GPUOptions{Library: "/x", StageTime: 300 * time.Millisecond}.withDefaults())
		check(t, r, DriverHangs)
		if r.Driver != "550.54.15" || r.Health == nil || r.Health.Temperature != 41 || !r.Simulated {
			t.Errorf("%+v", r)
		}
	})
	t.Run("when told to stop", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, stop)
		check(t, superviseGPU(ctx, program(t, script), GPUOptions{Library: "/x", StageTime: time.Minute}.withDefaults()), Stopped)
	})
}

func TestDeviceFiles(t *testing.T) {
	was := deviceFolder
	t.Cleanup(func() { deviceFolder = was })
	place := func(names ...string) {
		deviceFolder = t.TempDir()
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(deviceFolder, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	healthy := "#!/bin/sh\necho '{\"begin\":\"health\"}'; echo '{\"stage\":{\"name\":\"health\"}}'\n"

	place("nvidiactl", "nvidia-uvm")
	if broken := superviseGPU(t.Context(), program(t, healthy), GPUOptions{}.withDefaults()).Broken(); broken == nil || broken.Trouble.Kind != NoDeviceFiles || !strings.Contains(broken.Trouble.Message, "only nvidia-uvm nvidiactl") {
		t.Errorf("control files alone: %+v", broken)
	}
	place("nvidia0", "nvidia12", "nvidiactl")
	r := superviseGPU(t.Context(), program(t, healthy), GPUOptions{}.withDefaults())
	if r.Broken() != nil || r.Stage(StageFiles).Detail != "nvidia0 nvidia12 nvidiactl" {
		t.Errorf("all there: %+v", r)
	}
	place("dxg")
	if r := superviseGPU(t.Context(), program(t, healthy), GPUOptions{}.withDefaults()); r.Broken() != nil {
		t.Errorf("in WSL: %+v", r.Broken().Trouble)
	}

	// The negative control counts them where there is no library to ask.
	control := GPUOptions{NoGPU: true}.withDefaults()
	withoutLibrary := "#!/bin/sh\necho '{\"stage\":{\"name\":\"driver library\",\"detail\":\"there is none\"}}'\n"
	place("nvidia0", "nvidia1")
	if r := superviseGPU(t.Context(), program(t, withoutLibrary), control); r.Broken() != nil || r.Count != 2 {
		t.Errorf("device files without a request: %+v", r)
	}
	place()
	if r := superviseGPU(t.Context(), program(t, withoutLibrary), control); r.Broken() != nil || r.Count != 0 || r.Stage(StageHealth) != nil {
		t.Errorf("nothing without a request: %+v", r)
	}
}

func TestClosedDeviceFiles(t *testing.T) {
	was := openable
	t.Cleanup(func() { openable = was })
	gpus, others := []string{"/dev/nvidia0", "/dev/nvidia1"}, []string{"/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidiactl"}
	for _, c := range []struct {
		shut   []string
		expect int
		want   string
	}{
		{nil, 2, ""},
		{[]string{"/dev/nvidia0"}, 1, ""}, // another's
		{[]string{"/dev/nvidia0"}, 2, "/dev/nvidia0"},
		{gpus, 1, "/dev/nvidia0"},
		{[]string{"/dev/nvidia-modeset", "/dev/nvidia-uvm-tools"}, 1, ""},
		{[]string{"/dev/nvidia-uvm"}, 1, "/dev/nvidia-uvm"},
		{[]string{"/dev/nvidiactl"}, 1, "/dev/nvidiactl"},
	} {
		openable = func(path string) error {
			if slices.Contains(c.shut, path) {
				return syscall.EPERM
			}
			return nil
		}
		if got, err := closedFile(gpus, others, c.expect); got != c.want || (err != nil) != (c.want != "") {
			t.Errorf("%v shut, %d expected: %q, %v", c.shut, c.expect, got, err)
		}
	}
}

func TestLibraryPath(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/first:/second")
	if got := libraryPath("/only"); got != "/only" {
		t.Errorf("%q", got)
	}
	if got := libraryPath(""); !strings.HasPrefix(got, "/first:/second") {
		t.Errorf("%q", got)
	}
}
