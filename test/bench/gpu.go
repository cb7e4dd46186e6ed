package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// benchGPU holds what a customer runs most, the checks of section 1.2, against the least that
// tells whether a GPU can be had: one bare pod that asks for it and does nothing.
func benchGPU(ctx context.Context, b *bench) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer sweep(ctx, admin)
	run := func() (time.Duration, error) {
		ran, err := b.run(ctx, "--focus=gpu")
		return ran.wall, errors.Join(err, ran.unmet())
	}
	objects, err := record(ctx, admin, func() error { _, err := run(); return err })
	if err != nil {
		return err
	}
	name, err := objects.idleWithGPU()
	if err != nil {
		return err
	}
	fmt.Printf("a run with --focus=gpu makes %d pods\n", len(objects.pods))
	var ours, bares []float64
	for turn := range b.turns {
		took, err := run()
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := (bare{admin, objects}).run(ctx, name, "", nil); err != nil {
			return fmt.Errorf("one bare pod with a GPU: %w", err)
		}
		ours, bares = append(ours, took.Seconds()), append(bares, time.Since(began).Seconds())
		fmt.Printf("turn %d: --focus=gpu %.2f s, one bare pod with a GPU %.2f s\n", turn+1, ours[turn], bares[turn])
	}
	ratio := median(ours) / median(bares)
	row("--focus=gpu ÷ one bare pod (medians)", fmt.Sprintf("%.2f s ÷ %.2f s = %.2f", median(ours), median(bares), ratio), fmt.Sprintf("%.1f", maxGPURatio), ratio <= maxGPURatio)
	return nil
}

// idleWithGPU chooses the recorded pod that asks for a GPU with the suite's own image, makes
// its program do nothing, and returns its name.
func (r *recorded) idleWithGPU() (string, error) {
	for name, pod := range r.pods {
		container := &pod.Spec.Containers[0]
		if !hasGPU(container) || len(pod.Spec.InitContainers) > 0 {
			continue
		}
		container.Command, container.Args = []string{"/probe"}, []string{"sleep", "0s"}
		// What a Job notes on its pods does not hold for a bare one.
		pod.Labels = nil
		return name, nil
	}
	return "", fmt.Errorf("none of the run's %d pods asks for a GPU", len(r.pods))
}

func hasGPU(container *corev1.Container) bool {
	for resource := range container.Resources.Limits {
		if strings.HasPrefix(string(resource), "nvidia.com/") {
			return true
		}
	}
	return false
}
