package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// edit changes the bundle's configuration (OCI runtime specification, config.json) for the
// devices that the container is to have. Without any it is not touched.
func edit(bundle string, dir state.Dir) error {
	path := filepath.Join(bundle, "config.json")
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec specs.Spec
	if err := json.Unmarshal(content, &spec); err != nil {
		return err
	}
	uuids := devices(&spec, dir.FaultActive(device.FaultLeaks))
	if len(uuids) == 0 {
		return nil
	}
	inject(&spec, uuids, dir)
	if content, err = json.Marshal(&spec); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// devices are the UUIDs of the container's devices: those that the device plugin had mounted.
// What the container's environment asks for counts only where leaks is true, as with
// accept-nvidia-visible-devices-envvar-when-unprivileged in the configuration of NVIDIA's
// toolkit, with which every pod takes what it likes.
func devices(spec *specs.Spec, leaks bool) []string {
	var uuids []string
	for _, mount := range spec.Mounts {
		if filepath.Dir(mount.Destination) == device.VolumeMounts {
			uuids = append(uuids, filepath.Base(mount.Destination))
		}
	}
	if len(uuids) == 0 && leaks && spec.Process != nil {
		uuids = asked(spec.Process.Env)
	}
	return slices.DeleteFunc(uuids, func(uuid string) bool {
		_, known := device.Index(uuid)
		return !known
	})
}

// asked are the devices that the environment asks for by UUID, or all.
func asked(environment []string) []string {
	wanted, found := lookUp(environment, device.VisibleDevices)
	if !found {
		return nil
	}
	if wanted == "all" {
		return device.UUIDs(topology.GPUsPerNode)
	}
	return strings.Split(wanted, ",")
}

// lookUp returns the last value of the variable, the one that programs see.
func lookUp(environment []string, name string) (value string, found bool) {
	for _, variable := range environment {
		if after, is := strings.CutPrefix(variable, name+"="); is {
			value, found = after, true
		}
	}
	return value, found
}
