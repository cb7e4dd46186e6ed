// Package process starts the lab's long-lived programs in the background, finds them again
// from another command, and stops them. A record file holds each one's process ID and start
// time, so that a number which the kernel gave away again is never taken for ours.
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"aiv.internal/conformance/cmd/lab/state"
)

// Spec is a program to run in the background.
type Spec struct {
	// Name is unique in the lab; the record and the log are called by it.
	Name string
	// Command is the program, by its path, and its arguments.
	Command []string
	// Environment is added to this process's own.
	Environment []string
	// Ready returns nil once the program serves. It is asked again until then.
	Ready func(context.Context) error
}

// Record is what is remembered of a started program.
type Record struct {
	PID int `json:"pid"`
	// Started is the process's start time in clock ticks since boot (proc(5), field 22 of
	// stat), which together with the PID names a process for good.
	Started uint64   `json:"started"`
	Boot    string   `json:"boot"`
	Command []string `json:"command"`
}

// Supervisor starts and stops the programs of one lab.
type Supervisor struct{ Dir state.Dir }

func (s Supervisor) record(name string) string { return s.Dir.Run(name + ".pid") }

// Find returns the record of a program that runs now; false if none does.
func (s Supervisor) Find(name string) (Record, bool) {
	content, err := os.ReadFile(s.record(name))
	if err != nil {
		return Record{}, false
	}
	var record Record
	if json.Unmarshal(content, &record) != nil {
		return Record{}, false
	}
	return record, record.alive()
}

// Names are the programs that have a record, running or not.
func (s Supervisor) Names() []string {
	files, _ := filepath.Glob(s.record("*"))
	names := make([]string, 0, len(files))
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".pid"))
	}
	return names
}

// Start runs the program, unless it runs already, and waits until it is ready. The error of
// one that dies at once ends with the last lines of its log.
func (s Supervisor) Start(ctx context.Context, spec Spec) error {
	died := make(chan error, 1)
	if _, running := s.Find(spec.Name); !running {
		command, err := s.launch(spec)
		if err != nil {
			return fmt.Errorf("start %s: %w", spec.Name, err)
		}
		go func() { died <- command.Wait() }()
	}
	if spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case err := <-died:
			cancel(fmt.Errorf("it ended: %w", orEndedCleanly(err)))
		case <-stop:
		}
	}()
	if err := Until(ctx, spec.Ready); err != nil {
		return fmt.Errorf("%s is not ready: %w\n%s", spec.Name, err, s.tail(spec.Name))
	}
	return nil
}

func orEndedCleanly(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (s Supervisor) launch(spec Spec) (*exec.Cmd, error) {
	log, err := os.OpenFile(s.Dir.Log(spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(spec.Command[0], spec.Command[1:]...)
	command.Env = slices.Concat(os.Environ(), spec.Environment,
		[]string{state.ProcessVariable + "=" + string(s.Dir), state.EnvironmentVariable + "=" + string(s.Dir)})
	command.Stdout, command.Stderr = log, log
	command.Dir = "/"
	// A session of its own: a Ctrl-C at the terminal of `lab up` is not for the cluster.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := keepInherited(); err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	stat, err := readStat(command.Process.Pid)
	if err != nil {
		return nil, err
	}
	record := Record{PID: command.Process.Pid, Started: stat.started, Boot: bootID(), Command: spec.Command}
	content, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return command, os.WriteFile(s.record(spec.Name), content, 0o644)
}

// Stop ends the program: asks it, and kills it when grace is over. Stopping one that does not
// run only removes its record.
func (s Supervisor) Stop(name string, grace time.Duration) error {
	if record, running := s.Find(name); running {
		if err := end(record.PID, grace); err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
	}
	if err := os.Remove(s.record(name)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// tail is the end of a program's log, for an error message.
func (s Supervisor) tail(name string) string {
	const lines, bytes = 12, 4096
	content, err := os.ReadFile(s.Dir.Log(name))
	if err != nil {
		return ""
	}
	content = content[max(0, len(content)-bytes):]
	last := strings.Split(strings.TrimSpace(string(content)), "\n")
	last = last[max(0, len(last)-lines):]
	return fmt.Sprintf("the end of %s:\n  %s", s.Dir.Log(name), strings.Join(last, "\n  "))
}
