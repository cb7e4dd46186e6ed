package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"aiv.internal/conformance/framework/probe"
)

// kwok plays the fake nodes: it keeps their leases fresh and lets their pods succeed.
type kwok struct {
	command *exec.Cmd
	log     string
	ended   chan error
}

// startKWOK builds KWOK from its module and starts it for the nodes that carry fakeLabel.
// Its log and its configuration lie in folder.
func startKWOK(ctx context.Context, b *bench, folder string, answers *labAnswers) (*kwok, error) {
	module, program := filepath.Join(b.root, "test", "bench", "kwok"), filepath.Join(b.root, ".cache", "tools", "bench", "kwok")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "sigs.k8s.io/kwok/cmd/kwok")
	build.Dir, build.Env = module, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build KWOK: %w\n%s", err, output)
	}
	stages, err := renderStages(filepath.Join(module, "stages.yaml"), answers)
	if err != nil {
		return nil, err
	}
	configuration := filepath.Join(folder, "stages.yaml")
	if err := os.WriteFile(configuration, stages, 0o600); err != nil {
		return nil, err
	}
	k := &kwok{log: filepath.Join(folder, "kwok.log"), ended: make(chan error, 1)}
	log, err := os.Create(k.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	k.command = exec.Command(program, "--config="+configuration, "--kubeconfig="+b.lab.GetKubeconfig(),
		"--manage-nodes-with-label-selector="+fakeLabel+"="+fakeValue)
	k.command.Stdout, k.command.Stderr = log, log
	// A group of its own, for it is to outlive an interrupt: the nodes go first. It never
	// outlives the bench, however that ends.
	k.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := k.command.Start(); err != nil {
		return nil, fmt.Errorf("start KWOK: %w", err)
	}
	go func() { k.ended <- k.command.Wait() }()
	return k, nil
}

// died is an error with the end of the log if KWOK runs no more.
func (k *kwok) died() error {
	select {
	case err := <-k.ended:
		k.ended <- err
		content, _ := os.ReadFile(k.log)
		return fmt.Errorf("KWOK ended (%v): %s", err, content[max(0, len(content)-2000):])
	default:
		return nil
	}
}

func (k *kwok) stop() {
	_ = k.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-k.ended:
	case <-time.After(10 * time.Second):
		_ = k.command.Process.Kill()
		<-k.ended
	}
}

// renderStages puts the results into the stages: that of a container without a GPU, and that
// of one with one.
func renderStages(path string, answers *labAnswers) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	none, err := json.Marshal(probe.GPUResult{Stages: []probe.GPUStage{{Name: probe.StageFiles, Ms: 1}}})
	if err != nil {
		return nil, err
	}
	one, err := json.Marshal(fakeResult(answers.model))
	if err != nil {
		return nil, err
	}
	return []byte(strings.NewReplacer("RESOURCE", answers.resource, "WITHOUT_GPU", string(none), "WITH_GPU", string(one)).Replace(string(text))), nil
}

// fakeResult is what the probe would leave on a healthy node. NODE in it becomes the node's
// name.
func fakeResult(model string) probe.GPUResult {
	result := probe.GPUResult{
		Driver: "550.54.15", CUDA: "12.4", Count: 1, Simulated: true,
		Devices: []probe.GPUDevice{{Name: model, UUID: "GPU-NODE", Memory: 32 << 20, Capability: "7.0"}},
		Rates:   &probe.GPURates{HostToDevice: 1, DeviceToHost: 1, Device: 1, Bytes: 1 << 20, Method: "none: nothing ran, KWOK plays the pod"},
		Health:  &probe.GPUHealth{Temperature: 40, ECC: "on", Persistence: true},
	}
	for _, stage := range []string{probe.StageFiles, probe.StageLibrary, probe.StageInit, probe.StageDevices, probe.StageContext, probe.StageKernel,
		probe.StageSum, probe.StageProduct, probe.StageMemory, probe.StageRates, probe.StageHealth} {
		result.Stages = append(result.Stages, probe.GPUStage{Name: stage, Ms: 1, DriverMs: 1})
	}
	return result
}
