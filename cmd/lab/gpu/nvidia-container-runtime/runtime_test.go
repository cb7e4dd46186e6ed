package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		arguments string
		want      call
	}{
		{"--root /run/runc/k8s.io --log /b/log.json --log-format json create --bundle /b --pid-file /b/init.pid ID",
			call{true, "/b", "/b/log.json"}},
		{"--log=/b/log.json create --bundle=/b ID", call{true, "/b", "/b/log.json"}},
		{"create -b /b create", call{true, "/b", ""}},
		{"run ID", call{true, ".", ""}},
		{"--root create --systemd-cgroup start ID", call{false, ".", ""}},
		{"--root /r state create", call{false, ".", ""}},
		{"--version", call{false, ".", ""}},
		{"", call{false, ".", ""}},
	} {
		if got := parse(strings.Fields(c.arguments)); got != c.want {
			t.Errorf("runc %s: got %+v, want %+v", c.arguments, got, c.want)
		}
	}
}

// bundle is that of a container with those mounts and variables.
func bundle(t *testing.T, mounts, environment []string) string {
	t.Helper()
	spec := specs.Spec{Version: "1.0.2", Process: &specs.Process{Env: environment}, Linux: &specs.Linux{}}
	for _, destination := range mounts {
		spec.Mounts = append(spec.Mounts, specs.Mount{Destination: destination, Source: "/dev/null", Type: "bind"})
	}
	content, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "config.json"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func read(t *testing.T, folder string) (spec specs.Spec) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if err == nil {
		err = json.Unmarshal(content, &spec)
	}
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// lab is a lab in which those faults are planted.
func lab(t *testing.T, faults ...string) state.Dir {
	t.Helper()
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		if err := os.WriteFile(dir.Fault(fault), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInject(t *testing.T) {
	second := device.UUIDs(2)[1]
	dir := lab(t)
	folder := bundle(t, []string{"/data", device.MountPath(second)},
		[]string{"PATH=/bin", device.DriverFault + "=busy", device.DriverDevices + "=none"})
	if err := edit(folder, dir); err != nil {
		t.Fatal(err)
	}
	spec := read(t, folder)
	var files []string
	for _, file := range spec.Linux.Devices {
		files = append(files, file.Path)
	}
	if want := []string{"/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"}; !slices.Equal(files, want) {
		t.Errorf("device files are %v, want %v", files, want)
	}
	if allowed := spec.Linux.Resources.Devices; len(allowed) != len(files) || !allowed[0].Allow || allowed[0].Access != "rwm" {
		t.Errorf("allowed devices are %+v", allowed)
	}
	if want := []string{"PATH=/bin", device.DriverDevices + "=" + second}; !slices.Equal(spec.Process.Env, want) {
		t.Errorf("the environment is %v, want %v", spec.Process.Env, want)
	}
	sources := map[string]string{}
	for _, mount := range spec.Mounts {
		sources[filepath.Base(mount.Destination)] = mount.Source
	}
	for _, library := range device.Libraries {
		if want := filepath.Join(device.Folder(dir), library); sources[library] != want {
			t.Errorf("%s comes from %q, want %q", library, sources[library], want)
		}
	}
	if len(spec.Mounts) != 4 {
		t.Errorf("the mounts are %+v", spec.Mounts)
	}
}

// TestWithoutDevice: no container gets a device that the kubelet did not give it.
func TestWithoutDevice(t *testing.T) {
	for name, c := range map[string]struct{ mounts, environment []string }{
		"nothing asked":              {nil, []string{"PATH=/bin"}},
		"all asked by variable":      {nil, []string{device.VisibleDevices + "=all"}},
		"a device asked by variable": {nil, []string{device.VisibleDevices + "=" + device.UUIDs(1)[0]}},
		"a foreign device mounted":   {[]string{device.MountPath("GPU-0")}, nil},
		"the folder alone mounted":   {[]string{device.VolumeMounts}, nil},
		"a file further below":       {[]string{device.MountPath("x/" + device.UUIDs(1)[0])}, nil},
	} {
		folder := bundle(t, c.mounts, c.environment)
		before, err := os.ReadFile(filepath.Join(folder, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := edit(folder, lab(t)); err != nil {
			t.Fatal(err)
		}
		if after, _ := os.ReadFile(filepath.Join(folder, "config.json")); string(after) != string(before) {
			t.Errorf("%s: the configuration was changed to %s", name, after)
		}
	}
}

func TestLeaks(t *testing.T) {
	uuids := device.UUIDs(topology.GPUsPerNode)
	for value, want := range map[string]int{"all": topology.GPUsPerNode, uuids[1]: 1, "none": 0, "void": 0, "": 0} {
		folder := bundle(t, nil, []string{device.VisibleDevices + "=" + value})
		if err := edit(folder, lab(t, device.FaultLeaks)); err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, file := range read(t, folder).Linux.Devices {
			if file.Path == "/dev/nvidia0" || file.Path == "/dev/nvidia1" {
				got++
			}
		}
		if got != want {
			t.Errorf("%s=%s gives %d devices, want %d", device.VisibleDevices, value, got, want)
		}
	}
	// What the kubelet gave comes before what the environment says.
	folder := bundle(t, []string{device.MountPath(uuids[0])}, []string{device.VisibleDevices + "=all"})
	if err := edit(folder, lab(t, device.FaultLeaks)); err != nil {
		t.Fatal(err)
	}
	if value, _ := lookUp(read(t, folder).Process.Env, device.DriverDevices); value != uuids[0] {
		t.Errorf("the driver shows %q, want %s", value, uuids[0])
	}
}

func TestFaults(t *testing.T) {
	folder := bundle(t, []string{device.MountPath(device.UUIDs(1)[0])}, nil)
	if err := edit(folder, lab(t, device.FaultLibraryMissing, device.FaultWrongSum, device.FaultECC, "registry-down")); err != nil {
		t.Fatal(err)
	}
	spec := read(t, folder)
	if value, _ := lookUp(spec.Process.Env, device.DriverFault); value != "ecc,wrong-sum" {
		t.Errorf("the driver is told %q", value)
	}
	if len(spec.Mounts) != 1 || len(spec.Linux.Devices) != 3 {
		t.Errorf("devices without libraries were meant: %+v, %+v", spec.Mounts, spec.Linux.Devices)
	}
}

// TestReport writes where containerd's shim reads (go-runc's getLastRuntimeError).
func TestReport(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.json")
	call{log: log}.report(os.ErrNotExist)
	content, err := os.ReadFile(log)
	var line struct{ Level, Msg string }
	if err == nil {
		err = json.Unmarshal(content, &line)
	}
	if err != nil || line.Level != "error" || line.Msg != os.ErrNotExist.Error() {
		t.Errorf("got %s, error %v", content, err)
	}
}
