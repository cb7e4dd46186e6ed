package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// benchSizes weighs the programs.
func benchSizes(_ context.Context, b *bench) error {
	for _, weighed := range []struct {
		what  string
		names []string
		limit int64
	}{
		{"binary", []string{"runner"}, maxBinary},
		{"bin/probe and bin/probe-gpu", []string{"probe", "probe-gpu"}, maxProbe},
	} {
		var size int64
		for _, name := range weighed.names {
			info, err := os.Stat(b.binary(name))
			if err != nil {
				return err
			}
			size += info.Size()
		}
		row(weighed.what, megabytes(size), megabytes(weighed.limit), size <= weighed.limit)
	}
	return nil
}

// benchList times the command that people and editors call most.
func benchList(ctx context.Context, b *bench) error {
	var times, memory []float64
	for range 11 {
		command := exec.CommandContext(ctx, b.runner, "list", "-o", "json")
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

// benchRun holds a full run against bare client-go, with a WebSocket that idles for a second only:
// it idles beside everything else, and would be the last.
func benchRun(ctx context.Context, b *bench) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer sweep(ctx, admin)
	answers, done, err := b.shortIdle()
	if err != nil {
		return err
	}
	defer done()
	objects, err := record(ctx, admin, func() error { _, err := b.run(ctx, "--answers", answers); return err })
	if err != nil {
		return err
	}
	fmt.Printf("a full run makes %d pods and %d claims\n", len(objects.pods), len(objects.claims))
	var full, bare, cpu []float64
	for turn := range b.turns {
		ran, err := b.run(ctx, "--answers", answers)
		if err != nil {
			return err
		}
		began := time.Now()
		replaying, cancel := context.WithTimeout(ctx, maxReplay)
		err = objects.replay(replaying, admin)
		cancel()
		if err != nil {
			return fmt.Errorf("bare client-go: %w", err)
		}
		full, bare, cpu = append(full, ran.wall.Seconds()), append(bare, time.Since(began).Seconds()), append(cpu, ran.cpu.Seconds())
		fmt.Printf("turn %d: full run %.2f s (CPU %.2f s), bare client-go %.2f s\n", turn+1, full[turn], cpu[turn], bare[turn])
	}
	ratio := median(full) / median(bare)
	row("full run ÷ bare client-go (medians)", fmt.Sprintf("%.2f s ÷ %.2f s = %.2f", median(full), median(bare), ratio), fmt.Sprintf("%.1f", maxRatio), ratio <= maxRatio)
	row("the runner's CPU in a full run", fmt.Sprintf("%.2f s", median(cpu)), fmt.Sprintf("%.0f s", maxRunCPU), median(cpu) <= maxRunCPU)
	return nil
}

func benchLab(ctx context.Context, b *bench) error {
	if err := b.lab.Destroy(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := b.lab.Create(ctx); err != nil {
		return err
	}
	took := time.Since(began).Round(100 * time.Millisecond)
	row("lab up, built", took.String(), maxUp.String(), took <= maxUp)
	return nil
}

// benchUnit times the unit tests once what they need is compiled: tests that passed are not
// run again unless they are told to.
func benchUnit(ctx context.Context, b *bench) error {
	var took time.Duration
	for range 2 {
		command := exec.CommandContext(ctx, "make", "test-unit")
		command.Dir = b.root
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
