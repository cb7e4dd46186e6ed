package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The driver's libraries, by the names under which every version of it installs them.
const (
	CUDALibrary = "libcuda.so.1"
	NVMLLibrary = "libnvidia-ml.so.1"
)

// DriverFolders are where container toolkits, GPU operators and WSL put the driver's libraries.
func DriverFolders() []string {
	return []string{
		"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/lib64",
		"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/nvidia/lib64",
		"/usr/local/nvidia/lib", "/usr/local/lib64", "/usr/lib/wsl/lib", "/run/nvidia/driver/usr/lib/x86_64-linux-gnu",
	}
}

// devices below this root are looked at; tests have their own.
var deviceFolder = "/dev"

// deviceFiles returns the device files of GPUs, and the others that the driver needs.
func deviceFiles() (gpus, others []string) {
	all, _ := filepath.Glob(filepath.Join(deviceFolder, "nvidia*")) // the pattern is a good one
	for _, path := range all {
		number := strings.TrimPrefix(filepath.Base(path), "nvidia")
		if number != "" && strings.Trim(number, "0123456789") == "" {
			gpus = append(gpus, path)
		} else if info, err := os.Stat(path); err == nil && !info.IsDir() {
			others = append(others, path)
		}
	}
	// In WSL one file stands for all GPUs.
	if dxg := filepath.Join(deviceFolder, "dxg"); len(gpus) == 0 && exists(dxg) {
		gpus = append(gpus, dxg)
	}
	return gpus, others
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lookAtFiles is the first stage: are the device files there, and may they be opened?
func lookAtFiles(o GPUOptions) (detail string, trouble *Trouble) {
	gpus, others := deviceFiles()
	names := make([]string, 0, len(gpus)+len(others))
	for _, path := range append(slices.Clone(gpus), others...) {
		names = append(names, filepath.Base(path))
	}
	detail = strings.Join(names, " ")
	switch {
	case o.NoGPU && len(gpus) == 0:
		return "none, as it must be" + also(detail), nil
	case o.NoGPU:
		return detail, nil
	case o.Library != "":
		return "not looked at: the libraries of " + o.Library + " are asked", nil
	case len(gpus) == 0:
		return detail, &Trouble{Kind: NoDeviceFiles, Message: "no GPU's device file (/dev/nvidia0, ...) is in the container" + also(detail) + ": nothing injected it. " +
			"The pod needs the GPU resource in its limits, and a runtime that injects what the device plugin hands out: look at the RuntimeClass, at the node's container toolkit or its CDI files, and at the device plugin's log"}
	}
	if path, err := closedFile(gpus, others, o.Expect); err != nil {
		return detail, &Trouble{Kind: NoDeviceFiles, Message: fmt.Sprintf("%s is there, but the container may not open it (%v): "+
			"a bind mount alone does not allow a device (the device cgroup must, as the container toolkit or CDI arranges), or the file's owner and mode shut out the pod's user", path, err)}
	}
	return detail, nil
}

// neededFiles are those that CUDA opens besides the GPUs' own. The toolkit and CDI bring others
// that are for graphics and debuggers (nvidia-modeset, nvidia-uvm-tools).
var neededFiles = []string{"nvidiactl", "nvidia-uvm"}

// closedFile is a file without which the container does not get as many GPUs as it expects, and
// why it may not be opened. GPUs beyond them are others', and may well be closed.
func closedFile(gpus, others []string, expect int) (closed string, err error) {
	open := 0
	for _, path := range gpus {
		refused := openable(path)
		if !isDenied(refused) {
			open++
		} else if err == nil {
			closed, err = path, refused
		}
	}
	if err != nil && open < expect {
		return closed, err
	}
	for _, path := range others {
		if refused := openable(path); isDenied(refused) && slices.Contains(neededFiles, filepath.Base(path)) {
			return path, refused
		}
	}
	return "", nil
}

func isDenied(err error) bool { return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) }

func also(names string) string {
	if names == "" {
		return ""
	}
	return " (only " + names + ")"
}

// openable asks whether a device may be opened, by access(2), which asks the device cgroup as
// well (inode_permission in Linux). To open it would make the driver initialise the device,
// and that may never end.
var openable = func(path string) error { return unix.Access(path, unix.R_OK|unix.W_OK) }

// libraryPath is the LD_LIBRARY_PATH with which the driver's libraries are found, and with
// which they find each other: the driver loads its compiler by its plain name, and an image
// without /etc/ld.so.cache has nothing that knows where it is.
func libraryPath(only string) string {
	folders := []string{only}
	if only == "" {
		folders = filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
		for _, folder := range DriverFolders() {
			if exists(filepath.Join(folder, CUDALibrary)) || exists(filepath.Join(folder, NVMLLibrary)) {
				folders = append(folders, folder)
			}
		}
	}
	return strings.Join(folders, string(os.PathListSeparator))
}
