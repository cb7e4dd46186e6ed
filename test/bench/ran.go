package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"aiv.internal/conformance/framework/report"
)

// ran is what one run of the suite took, all its processes included, and said.
type ran struct {
	wall, cpu time.Duration
	// memory is empty unless it was watched: watching takes time from what is watched.
	memory memory
	report report.Document
}

// unmet are the items that were not met, in words.
func (r ran) unmet() error {
	var wrong []error
	for _, item := range r.report.Items {
		if !item.Verdict.Met() {
			wrong = append(wrong, fmt.Errorf("%s %s: %s%v", item.ID, item.Verdict, item.Reason, item.Finding))
		}
	}
	return errors.Join(wrong...)
}

// run runs the suite once with the lab's answers. The last mention of a flag counts, so args
// may override them.
func (b *bench) run(ctx context.Context, args ...string) (ran, error) {
	return b.runWatched(ctx, unwatched, args...)
}

func unwatched(int) func() memory { return func() memory { return memory{} } }

// runWatched is run; watch is given the process, and what it returns is called at the end.
func (b *bench) runWatched(ctx context.Context, watch func(int) func() memory, args ...string) (ran, error) {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return ran{}, err
	}
	defer os.RemoveAll(folder)
	arguments := []string{"--answers", b.lab.State("answers.yaml"), "--kubeconfig", b.lab.State("kubeconfig"), "--output-dir", folder}
	command := exec.CommandContext(ctx, b.runner, append(arguments, args...)...)
	// An interrupted run removes what it made.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	output := &strings.Builder{}
	command.Stdout, command.Stderr = output, output
	began := time.Now()
	if err := command.Start(); err != nil {
		return ran{}, err
	}
	watched := watch(command.Process.Pid)
	err = command.Wait()
	result := ran{wall: time.Since(began), cpu: command.ProcessState.UserTime() + command.ProcessState.SystemTime(), memory: watched()}
	// 4 is the healthy lab's: some items have no check yet.
	if code := command.ProcessState.ExitCode(); err != nil && code != 4 {
		return ran{}, fmt.Errorf("the healthy lab's run ended with %d: %w\n%s", code, err, output)
	}
	content, err := os.ReadFile(filepath.Join(folder, report.JSONFile))
	if err != nil {
		return ran{}, err
	}
	return result, json.Unmarshal(content, &result.report)
}
