package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// benchNodes times the checks of section 1.2 on a thousand GPU nodes, which KWOK plays beside
// the lab's real ones. Their pods succeed at once, so what is timed is the suite, the API
// server and the scheduler.
func benchNodes(ctx context.Context, b *bench) (err error) {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	nodes, err := newFarm(ctx, admin)
	if err != nil {
		return err
	}
	answers, err := readAnswers(b.lab.State("answers.yaml"))
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	player, err := startKWOK(ctx, b, folder, answers)
	if err != nil {
		return err
	}
	defer player.stop()
	defer func() { err = errors.Join(err, b.removeNodes(ctx, nodes)) }()
	// A bench that was killed may have left some.
	if err := nodes.remove(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := nodes.create(ctx, player); err != nil {
		return err
	}
	fmt.Printf("%d fake GPU nodes are ready after %.0f s\n", fakeNodes, time.Since(began).Seconds())
	for _, most := range []int{defaultSample, 200} {
		if err := b.timeNodes(ctx, nodes, player, folder, answers, most); err != nil {
			return fmt.Errorf("the smoke job on at most %d of %d nodes: %w", most, fakeNodes, err)
		}
	}
	return player.died()
}

// defaultSample is on how many nodes the smoke job runs unless gpu.maxNodes says otherwise; the
// limits hold for it.
const defaultSample = 32

// timeNodes runs the checks with the smoke job on at most that many nodes.
func (b *bench) timeNodes(ctx context.Context, nodes *farm, player *kwok, folder string, answers *labAnswers, most int) error {
	path := filepath.Join(folder, fmt.Sprintf("answers-%d.yaml", most))
	answers.farm(most)
	if err := answers.write(path); err != nil {
		return err
	}
	run := func(watch func(int) func() memory) (ran, error) {
		if err := nodes.ready(ctx, player); err != nil {
			return ran{}, err
		}
		// The administrator, since the lab's runner may do nothing in another namespace.
		ran, err := b.runWatched(ctx, watch, "--focus=gpu", "--answers", path, "--kubeconfig", b.lab.GetKubeconfig())
		return ran, errors.Join(err, ran.unmet())
	}
	var times []float64
	for turn := range min(b.turns, 3) {
		ran, err := run(unwatched)
		if err != nil {
			return err
		}
		times = append(times, ran.wall.Seconds())
		fmt.Printf("turn %d: %d GPU nodes, smoke job on %d: %.2f s (CPU %.2f s)\n", turn+1, fakeNodes, most, times[turn], ran.cpu.Seconds())
	}
	// Apart, because watching takes time from what is watched.
	watched, err := run(watchMemory)
	if err != nil {
		return err
	}
	used := watched.memory
	fmt.Printf("memory: %s the largest process, %s all %d together at one moment\n", megabytes(used.largest), megabytes(used.together), used.processes)
	took := time.Duration(median(times) * float64(time.Second)).Round(10 * time.Millisecond)
	what := fmt.Sprintf("%d GPU nodes, smoke job on %d: ", fakeNodes, most)
	if most != defaultSample {
		row(what+"time", took.String(), "none", true)
		row(what+"memory", megabytes(used.together), "none", true)
		return nil
	}
	row(what+"time", took.String(), maxNodesTime.String(), took <= maxNodesTime)
	row(what+"memory", megabytes(used.together), megabytes(maxNodesBytes), used.together <= maxNodesBytes)
	return nil
}

// removeNodes removes the fake nodes, whatever became of the bench, and says how the lab is.
func (b *bench) removeNodes(ctx context.Context, nodes *farm) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTime)
	defer cancel()
	if err := nodes.remove(ctx); err != nil {
		return fmt.Errorf("fake nodes are left (the next bench removes them): %w", err)
	}
	_, err := b.lab.Command(ctx, "status")
	return err
}
