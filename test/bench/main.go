// Command bench prints the project's limits and what it measured beside them. It needs the
// lab to be up, and bin/runner to be built; the Makefile's bench target does both.
//
// The main figure holds a full run of the suite against bare client-go: the objects of a run
// are recorded, and then made again in the same order of dependency, all chains at once, by
// a program that does nothing else. Both run in turn.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"aiv.internal/conformance/test/cluster"
)

// The limits that the figures are held against.
const (
	maxRatio     = 1.3
	maxRunCPU    = 4.0 // seconds, user and system, all processes of the runner
	maxListTime  = 80 * time.Millisecond
	maxListBytes = 60 << 20
	maxBinary    = 70 << 20
	maxUp        = 60 * time.Second
	maxUnit      = 60 * time.Second
)

func main() {
	turns := flag.Int("turns", 5, "how often the full run and bare client-go are timed, in turn")
	lab := flag.Bool("lab", false, "also take the lab down and time how long it takes to come up again, and time the unit tests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := bench(ctx, *turns, *lab)
	if err == nil && over > 0 {
		err = fmt.Errorf("%d limits were missed", over)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, turns int, restart bool) error {
	lab := cluster.NewLab()
	lab.SetDefaults()
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	runner := filepath.Join(root, "bin", "runner")
	info, err := os.Stat(runner)
	if err != nil {
		return err
	}
	row("binary", megabytes(info.Size()), megabytes(maxBinary), info.Size() <= maxBinary)
	if err := benchList(ctx, runner); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", lab.GetKubeconfig())
	if err != nil {
		return err
	}
	config.QPS = -1 // nothing is to hold the comparison back
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	run := func() (time.Duration, time.Duration, error) { return timeRun(ctx, runner, lab) }
	objects, err := record(ctx, admin, func() error { _, _, err := run(); return err })
	if err != nil {
		return err
	}
	fmt.Printf("a full run makes %d pods and %d claims\n", len(objects.pods), len(objects.claims))
	var full, bare, cpu []float64
	for turn := range turns {
		wall, used, err := run()
		if err != nil {
			return err
		}
		began := time.Now()
		if err := objects.replay(ctx, admin); err != nil {
			return fmt.Errorf("bare client-go: %w", err)
		}
		full, bare, cpu = append(full, wall.Seconds()), append(bare, time.Since(began).Seconds()), append(cpu, used.Seconds())
		fmt.Printf("turn %d: full run %.2f s (CPU %.2f s), bare client-go %.2f s\n", turn+1, full[turn], cpu[turn], bare[turn])
	}
	ratio := median(full) / median(bare)
	row("full run ÷ bare client-go (medians)", fmt.Sprintf("%.2f s ÷ %.2f s = %.2f", median(full), median(bare), ratio), fmt.Sprintf("%.1f", maxRatio), ratio <= maxRatio)
	row("the runner's CPU in a full run", fmt.Sprintf("%.2f s", median(cpu)), fmt.Sprintf("%.0f s", maxRunCPU), median(cpu) <= maxRunCPU)
	if !restart {
		return nil
	}
	return errors.Join(benchLab(ctx, lab), benchUnit(ctx, root))
}

// benchList times the command that people and editors call most.
func benchList(ctx context.Context, runner string) error {
	var times, memory []float64
	for range 11 {
		command := exec.CommandContext(ctx, runner, "list", "-o", "json")
		began := time.Now()
		if err := command.Run(); err != nil {
			return fmt.Errorf("runner list: %w", err)
		}
		times = append(times, time.Since(began).Seconds())
		memory = append(memory, float64(command.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)*1024)
	}
	took := time.Duration(median(times) * float64(time.Second)).Round(time.Millisecond)
	row("runner list", took.String(), maxListTime.String(), took <= maxListTime)
	row("runner list, memory", megabytes(int64(median(memory))), megabytes(maxListBytes), median(memory) <= maxListBytes)
	return nil
}

// timeRun runs the suite once and returns its time and CPU, that of its processes included.
func timeRun(ctx context.Context, runner string, lab *cluster.Lab) (wall, used time.Duration, err error) {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(folder)
	command := exec.CommandContext(ctx, runner, "--answers", lab.State("answers.yaml"), "--kubeconfig", lab.State("kubeconfig"), "--output-dir", folder)
	began := time.Now()
	output, err := command.CombinedOutput()
	// 4 is the healthy lab's: some items have no check yet.
	if code := command.ProcessState.ExitCode(); err != nil && code != 4 {
		return 0, 0, fmt.Errorf("the healthy lab's run ended with %d: %w\n%s", code, err, output)
	}
	return time.Since(began), command.ProcessState.UserTime() + command.ProcessState.SystemTime(), nil
}

func benchLab(ctx context.Context, lab *cluster.Lab) error {
	if err := lab.Destroy(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := lab.Create(ctx); err != nil {
		return err
	}
	took := time.Since(began).Round(100 * time.Millisecond)
	row("lab up, built", took.String(), maxUp.String(), took <= maxUp)
	return nil
}

// benchUnit times the unit tests once what they need is compiled: tests that passed are not
// run again unless they are told to.
func benchUnit(ctx context.Context, root string) error {
	var took time.Duration
	for range 2 {
		command := exec.CommandContext(ctx, "make", "test-unit")
		command.Dir = root
		command.Env = append(os.Environ(), "GOFLAGS=-count=1")
		began := time.Now()
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("make test-unit: %w\n%s", err, output)
		}
		took = time.Since(began).Round(100 * time.Millisecond)
	}
	row("make test-unit, warm", took.String(), maxUnit.String(), took <= maxUnit)
	return nil
}

// over counts the limits that were missed.
var over int

func row(what, measured, limit string, met bool) {
	word := "ok"
	if !met {
		word = "OVER THE LIMIT"
		over++
	}
	fmt.Printf("%-40s %-28s limit %-10s %s\n", what, measured, limit, word)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
