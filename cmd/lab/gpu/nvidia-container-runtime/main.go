// Command nvidia-container-runtime stands for NVIDIA's container runtime on the lab's GPU
// nodes. containerd runs it in the place of runc, and it becomes runc after it has written
// into the new container's configuration what NVIDIA's toolkit would inject: the device files
// and the driver's libraries, here those of the simulated driver. Containers without a GPU it
// leaves as they are. It never decides who gets a device: that the kubelet did.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"aiv.internal/conformance/cmd/lab/state"
)

func main() {
	call := parse(os.Args[1:])
	if err := run(call); err != nil {
		call.report(err)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(call call) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	if call.creates {
		dir, err := labDir()
		if err != nil {
			return err
		}
		if err := edit(call.bundle, dir); err != nil {
			return fmt.Errorf("inject the simulated GPU driver: %w", err)
		}
	}
	return syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ())
}

// labDir is the lab that this program lies in, as .lab/bin/nvidia-container-runtime: what
// starts it hands down no environment that is sure.
func labDir() (state.Dir, error) {
	self, err := os.Executable()
	return state.Dir(filepath.Dir(filepath.Dir(self))), err
}

// report leaves the error where containerd looks for runc's: as a JSON line in the log file
// that the command line names.
func (c call) report(failed error) {
	if c.log == "" {
		return
	}
	line, err := json.Marshal(map[string]string{"level": "error", "msg": failed.Error()})
	if err != nil {
		return
	}
	file, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = file.Write(append(line, '\n')) // the same is said on standard error
}
