package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
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
	for _, most := range []int{32, 200} {
		if err := b.timeNodes(ctx, folder, answers, most); err != nil {
			return fmt.Errorf("the smoke job on at most %d of %d nodes: %w", most, fakeNodes, err)
		}
	}
	return player.died()
}

// timeNodes runs the checks with the smoke job on at most that many nodes.
func (b *bench) timeNodes(ctx context.Context, folder string, answers *labAnswers, most int) error {
	path := filepath.Join(folder, fmt.Sprintf("answers-%d.yaml", most))
	if err := answers.write(path, most); err != nil {
		return err
	}
	// The administrator, since the lab's runner may do nothing in another namespace.
	arguments := []string{"--focus=gpu", "--answers", path, "--kubeconfig", b.lab.GetKubeconfig()}
	var times []float64
	for turn := range min(b.turns, 3) {
		ran, err := b.run(ctx, arguments...)
		if err := errors.Join(err, ran.unmet()); err != nil {
			return err
		}
		times = append(times, ran.wall.Seconds())
		fmt.Printf("turn %d: %d GPU nodes, smoke job on %d: %.2f s (CPU %.2f s)\n", turn+1, fakeNodes, most, times[turn], ran.cpu.Seconds())
	}
	// Apart, because watching takes time from what is watched.
	watched, err := b.runWatched(ctx, watchMemory, arguments...)
	if err != nil {
		return err
	}
	used := watched.memory
	fmt.Printf("memory: %s the largest process, %s all %d together at one moment\n", megabytes(used.largest), megabytes(used.together), used.processes)
	took := time.Duration(median(times) * float64(time.Second)).Round(10 * time.Millisecond)
	what := fmt.Sprintf("%d GPU nodes, %d with a job: ", fakeNodes, most)
	row(what+"time", took.String(), maxNodesTime.String(), took <= maxNodesTime)
	row(what+"memory", megabytes(used.largest), megabytes(maxNodesBytes), used.largest <= maxNodesBytes)
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

// labAnswers is what of the lab's answers the checks of section 1.2 need.
type labAnswers struct {
	few, cluster, gpu map[string]any
	// real is how many GPU nodes the lab itself has.
	real uint64
	// model and resource are those of its GPUs.
	model, resource string
}

func readAnswers(path string) (*labAnswers, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	a := &labAnswers{few: map[string]any{}}
	for _, key := range []string{"apiVersion", "kind", "runner", "cluster", "gpu"} {
		a.few[key] = all[key]
	}
	a.cluster, _ = all["cluster"].(map[string]any)
	a.gpu, _ = all["gpu"].(map[string]any)
	var answered [3]bool
	a.real, answered[0] = a.cluster["gpuNodes"].(uint64)
	a.model, answered[1] = a.gpu["model"].(string)
	a.resource, answered[2] = a.gpu["resourceName"].(string)
	if answered != [3]bool{true, true, true} {
		return nil, fmt.Errorf("%s lacks cluster.gpuNodes, gpu.model or gpu.resourceName", path)
	}
	return a, nil
}

// write writes them for the lab's GPU nodes and the fake ones together.
func (a *labAnswers) write(path string, most int) error {
	a.cluster["gpuNodes"], a.cluster["namespace"] = a.real+fakeNodes, fakeNamespace
	// "yes" is a word to this writer.
	a.gpu["devicePlugin"] = true
	a.gpu["maxNodes"] = most
	a.gpu["taints"] = []string{fakeLabel + "=" + fakeValue + ":NoSchedule"}
	text, err := yaml.Marshal(a.few)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
