package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"aiv.internal/conformance/framework/probe"
)

// simulatedMemory is what the probe tests of the simulated driver's memory, in bytes: it has
// little, and is slow.
const simulatedMemory = 16 << 20

// benchProbe holds the probe's own time, from start to end, against the time that it spent
// inside the driver's calls.
func benchProbe(ctx context.Context, b *bench) error {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	options, whose := probe.GPUOptions{}, "the real driver's"
	if !b.realGPU {
		whose = "the simulated driver's"
		build := exec.CommandContext(ctx, filepath.Join(b.root, "cmd", "lab", "gpu", "driver", "build.sh"), folder)
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build the simulated driver: %w\n%s", err, output)
		}
		options.Library, options.Memory = folder, simulatedMemory
	}
	var own, driver, share []float64
	for turn := range b.turns {
		wall, result, err := b.probe(ctx, filepath.Join(folder, "result.json"), options.Args()...)
		if err != nil {
			return err
		}
		var stages, calls float64
		for _, stage := range result.Stages {
			stages, calls = stages+stage.Ms, calls+stage.DriverMs
		}
		whole := float64(wall) / float64(time.Millisecond)
		own, driver, share = append(own, whole-calls), append(driver, calls), append(share, (whole-calls)/calls)
		fmt.Printf("turn %d: %.0f ms from start to end, %.0f ms in stages, %.0f ms of them in the driver's calls\n", turn+1, whole, stages, calls)
		if turn == 0 {
			printStages(result)
		}
	}
	overhead := median(share)
	row("probe's own time ÷ "+whose, fmt.Sprintf("%.0f ms ÷ %.0f ms = %.1f %%", median(own), median(driver), 100*overhead),
		fmt.Sprintf("%.0f %%", 100*maxProbeOverhead), overhead <= maxProbeOverhead)
	return nil
}

// probe runs bin/probe on this machine and returns what it took and found.
func (b *bench) probe(ctx context.Context, resultFile string, arguments ...string) (time.Duration, probe.GPUResult, error) {
	command := exec.CommandContext(ctx, b.binary("probe"), arguments...)
	command.Env = append(os.Environ(), probe.ResultVariable+"="+resultFile)
	began := time.Now()
	output, err := command.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return 0, probe.GPUResult{}, fmt.Errorf("probe %v: %w\n%s", arguments, err, output)
	}
	content, err := os.ReadFile(resultFile)
	if err != nil {
		return 0, probe.GPUResult{}, err
	}
	result, err := probe.Decode[probe.GPUResult](content)
	if err != nil {
		return 0, result, err
	}
	if broken := result.Broken(); broken != nil {
		return 0, result, fmt.Errorf("the probe's stage %q: %w", broken.Name, broken.Trouble)
	}
	return took, result, nil
}

func printStages(result probe.GPUResult) {
	for _, stage := range result.Stages {
		fmt.Printf("  %-16s %8.1f ms, %8.1f ms of them the driver's\n", stage.Name, stage.Ms, stage.DriverMs)
	}
}
