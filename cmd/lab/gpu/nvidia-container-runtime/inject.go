package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/state"
)

// The numbers of /dev/null (Linux's devices.txt): the simulated device files do nothing, and
// every container may open that one.
const nullMajor, nullMinor = 1, 3

// libraryFolders are Debian's folders of libraries by architecture, where NVIDIA's toolkit
// puts the driver's too.
var libraryFolders = map[string]string{
	"amd64": "/usr/lib/x86_64-linux-gnu",
	"arm64": "/usr/lib/aarch64-linux-gnu",
}

// inject gives the container device files, the driver's libraries and the driver's
// environment.
func inject(spec *specs.Spec, uuids []string, dir state.Dir) {
	for _, path := range deviceFiles(uuids) {
		addDevice(spec, path)
	}
	if !dir.FaultActive(device.FaultLibraryMissing) {
		for _, library := range device.Libraries {
			spec.Mounts = append(spec.Mounts, specs.Mount{
				Destination: filepath.Join(libraryFolders[goruntime.GOARCH], library),
				Source:      filepath.Join(device.Folder(dir), library),
				Type:        "bind",
				Options:     []string{"bind", "ro", "nosuid", "nodev"},
			})
		}
	}
	setEnvironment(spec, device.DriverDevices, strings.Join(uuids, ","))
	setEnvironment(spec, device.DriverFault, strings.Join(planted(dir), ","))
}

func deviceFiles(uuids []string) []string {
	var files []string
	for _, uuid := range uuids {
		index, _ := device.Index(uuid)
		files = append(files, fmt.Sprintf("/dev/nvidia%d", index))
	}
	return append(files, "/dev/nvidiactl", "/dev/nvidia-uvm")
}

func addDevice(spec *specs.Spec, path string) {
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	mode, root := os.FileMode(0o666), uint32(0)
	spec.Linux.Devices = append(spec.Linux.Devices, specs.LinuxDevice{
		Path: path, Type: "c", Major: nullMajor, Minor: nullMinor, FileMode: &mode, UID: &root, GID: &root,
	})
	if spec.Linux.Resources == nil {
		spec.Linux.Resources = &specs.LinuxResources{}
	}
	major, minor := int64(nullMajor), int64(nullMinor)
	spec.Linux.Resources.Devices = append(spec.Linux.Resources.Devices, specs.LinuxDeviceCgroup{
		Allow: true, Type: "c", Major: &major, Minor: &minor, Access: "rwm",
	})
}

// setEnvironment sets the variable, whatever the pod meant it to be. An empty value removes
// it.
func setEnvironment(spec *specs.Spec, name, value string) {
	if spec.Process == nil {
		return
	}
	is := func(variable string) bool { return strings.HasPrefix(variable, name+"=") }
	spec.Process.Env = slices.DeleteFunc(spec.Process.Env, is)
	if value != "" {
		spec.Process.Env = append(spec.Process.Env, name+"="+value)
	}
}

// planted are the driver's words for its faults that are planted now.
func planted(dir state.Dir) []string {
	var words []string
	for _, fault := range slices.Sorted(maps.Keys(device.DriverFaults)) {
		if dir.FaultActive(fault) {
			words = append(words, device.DriverFaults[fault])
		}
	}
	return words
}
