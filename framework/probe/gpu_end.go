package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"
)

// childEnd is how probe-gpu ended before it had said all.
type childEnd struct {
	state *os.ProcessState
	err   error
	words string
}

// raised finds the signal in what the Go runtime says when C code raises one: it catches it, so
// that the process ends with an exit code instead.
var raised = regexp.MustCompile(`(?m)^(?:\[signal )?(SIG[A-Z]+): `)

// withoutGlibc is what to do about an image in which the driver cannot be loaded.
const withoutGlibc = "this image has no (or too old a) glibc, which NVIDIA's driver needs as well: take the image that `make image` builds, or a notebook image based on Debian, Ubuntu or RHEL (not Alpine)"

// startTrouble says why the program could not be started at all.
func startTrouble(program string, err error) *Trouble {
	var path *fs.PathError
	switch {
	case errors.As(err, &path) && path.Path != program: // it lies with what a program is given
		return troubleOf(err)
	case errors.Is(err, fs.ErrNotExist) && exists(program):
		// execve(2): ENOENT also stands for the interpreter that the program names.
		return &Trouble{Kind: NoGlibc, Message: program + " cannot be started, because its dynamic loader is missing: " + withoutGlibc}
	case errors.Is(err, fs.ErrNotExist):
		return &Trouble{Kind: Missing, Message: program + " is missing: it belongs beside the probe (`probe copy` copies both)"}
	case errors.Is(err, fs.ErrPermission):
		return &Trouble{Kind: Denied, Message: fmt.Sprintf("%s may not be started (%v): its folder may be mounted noexec", program, err)}
	case errors.Is(err, syscall.ENOEXEC):
		return &Trouble{Kind: Other, Message: program + " was built for another processor than this node's"}
	}
	return troubleOf(err)
}

// trouble says what ended the program while it was inside call, if it was inside of one.
func (e childEnd) trouble(program, call string) *Trouble {
	where := outside
	if call != "" {
		where = "in " + call
	}
	for _, sign := range []string{"error while loading shared libraries", "version `GLIBC_", "Error relocating", "Error loading shared library"} {
		if strings.Contains(e.words, sign) {
			return &Trouble{Kind: NoGlibc, Message: withoutGlibc + ". " + firstLine(e.words)}
		}
	}
	if e.state == nil {
		return &Trouble{Kind: DriverHangs, Message: fmt.Sprintf("the driver does not end after it broke off %s: %v", where, e.err)}
	}
	status, _ := e.state.Sys().(syscall.WaitStatus)
	const crashed = "the driver or the GPU is broken: look for Xid messages in the node's kernel log (dmesg), and whether the driver's libraries in the container are of the node's driver version"
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		return &Trouble{Kind: DriverCrashed, Message: fmt.Sprintf("the process was killed %s (SIGKILL): most probably the container's memory limit is too low for the driver, which takes some hundred MiB", where)}
	case status.Signaled():
		return &Trouble{Kind: DriverCrashed, Message: fmt.Sprintf("the driver crashed %s: %s; %s", where, signalText(status.Signal()), crashed)}
	case raised.MatchString(e.words):
		return &Trouble{Kind: DriverCrashed, Message: fmt.Sprintf("the driver crashed %s: %s; %s", where, raised.FindStringSubmatch(e.words)[1], crashed)}
	case strings.Contains(e.words, "panic: "):
		return &Trouble{Kind: Other, Message: fmt.Sprintf("%s has a defect of its own (%s): %s", program, where, firstLine(e.words))}
	}
	return &Trouble{Kind: DriverCrashed, Message: fmt.Sprintf("the driver ended the process %s (exit code %d): %s", where, e.state.ExitCode(), firstLine(e.words))}
}

// failed says that the program did not end as one that is through.
func (e childEnd) failed() bool { return e.state == nil || !e.state.Success() }

func signalText(signal syscall.Signal) string {
	for _, known := range []struct {
		signal syscall.Signal
		name   string
	}{
		{syscall.SIGSEGV, "SIGSEGV"}, {syscall.SIGBUS, "SIGBUS"}, {syscall.SIGABRT, "SIGABRT"},
		{syscall.SIGILL, "SIGILL"}, {syscall.SIGFPE, "SIGFPE"}, {syscall.SIGTRAP, "SIGTRAP"}, {syscall.SIGSYS, "SIGSYS"},
	} {
		if known.signal == signal {
			return known.name
		}
	}
	return signal.String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return short(line)
}
