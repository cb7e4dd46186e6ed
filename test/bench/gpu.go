package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// benchGPU holds what a customer runs most, the checks of section 1.2, against the least that
// tells whether a GPU can be had: one bare pod that asks for it and does nothing. Where the
// smoke job also runs in the notebook image, an init container goes before it, and a kubelet
// takes a second to see the end of each: then the bare pod has the same one.
func benchGPU(ctx context.Context, b *bench) error {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	answers, err := readAnswers(b.lab.State("answers.yaml"))
	if err != nil {
		return err
	}
	full, plain := filepath.Join(folder, "full.yaml"), filepath.Join(folder, "plain.yaml")
	if err := answers.write(full); err != nil {
		return err
	}
	answers.withoutNotebook()
	if err := answers.write(plain); err != nil {
		return err
	}
	if err := b.againstBarePod(ctx, "--focus=gpu ÷ one bare pod", plain, 0); err != nil {
		return err
	}
	return b.againstBarePod(ctx, "the same with a notebook image", full, 1)
}

// againstBarePod times runs with these answers and, in turn, a bare pod with that many init
// containers.
func (b *bench) againstBarePod(ctx context.Context, what, answers string, inits int) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer sweep(ctx, admin)
	run := func() (time.Duration, error) {
		ran, err := b.run(ctx, "--focus=gpu", "--answers", answers)
		return ran.wall, errors.Join(err, ran.unmet())
	}
	objects, err := record(ctx, admin, func() error { _, err := run(); return err })
	if err != nil {
		return err
	}
	name, err := objects.idleWithGPU(inits)
	if err != nil {
		return err
	}
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
		fmt.Printf("turn %d: --focus=gpu (%d pods) %.2f s, one bare pod with a GPU %.2f s\n", turn+1, len(objects.pods), ours[turn], bares[turn])
	}
	ratio := median(ours) / median(bares)
	row(what+" (medians)", fmt.Sprintf("%.2f s ÷ %.2f s = %.2f", median(ours), median(bares), ratio), fmt.Sprintf("%.1f", maxGPURatio), ratio <= maxGPURatio)
	return nil
}

// idleWithGPU chooses the recorded pod that asks for a GPU and has that many init containers,
// makes its program do nothing, and returns its name.
func (r *recorded) idleWithGPU(inits int) (string, error) {
	for name, pod := range r.pods {
		container := &pod.Spec.Containers[0]
		if !hasGPU(container) || len(pod.Spec.InitContainers) != inits {
			continue
		}
		container.Args = []string{"sleep", "0s"}
		// What a Job notes on its pods does not hold for a bare one.
		pod.Labels = nil
		return name, nil
	}
	return "", fmt.Errorf("none of the run's %d pods asks for a GPU and has %d init containers", len(r.pods), inits)
}

func hasGPU(container *corev1.Container) bool {
	for resource := range container.Resources.Limits {
		if strings.HasPrefix(string(resource), "nvidia.com/") {
			return true
		}
	}
	return false
}
