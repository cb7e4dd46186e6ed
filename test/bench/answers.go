package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/goccy/go-yaml"
)

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
	var answered [3]bool
	a.cluster, _ = all["cluster"].(map[string]any)
	a.gpu, _ = all["gpu"].(map[string]any)
	a.real, answered[0] = a.cluster["gpuNodes"].(uint64)
	a.model, answered[1] = a.gpu["model"].(string)
	a.resource, answered[2] = a.gpu["resourceName"].(string)
	if answered != [3]bool{true, true, true} {
		return nil, fmt.Errorf("%s lacks cluster.gpuNodes, gpu.model or gpu.resourceName", path)
	}
	// "yes" is a word to the writer.
	a.gpu["devicePlugin"] = true
	return a, nil
}

// farm makes the fake nodes part of the answers, and bounds on how many the smoke job runs.
func (a *labAnswers) farm(most int) {
	a.cluster["gpuNodes"], a.cluster["namespace"] = a.real+fakeNodes, fakeNamespace
	a.gpu["taints"] = []string{fakeLabel + "=" + fakeValue + ":NoSchedule"}
	a.gpu["maxNodes"] = most
}

// withoutNotebook leaves out the smoke job in the notebook image.
func (a *labAnswers) withoutNotebook() { delete(a.gpu, "notebookImage") }

func (a *labAnswers) write(path string) error {
	text, err := yaml.Marshal(a.few)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// idle is the lab's answer that says how long a WebSocket idles.
var idle = regexp.MustCompile(`(?m)^( +websocketIdle: ).*$`)

// shortIdle writes the lab's answers with a WebSocket that idles for a second. done removes them.
func (b *bench) shortIdle() (path string, done func(), err error) {
	text, err := os.ReadFile(b.lab.State("answers.yaml"))
	if err != nil {
		return "", nil, err
	}
	if !idle.Match(text) {
		return "", nil, fmt.Errorf("the lab's answers do not say how long a WebSocket idles: is it a full one?")
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(folder, "answers.yaml")
	return path, func() { os.RemoveAll(folder) }, os.WriteFile(path, idle.ReplaceAll(text, []byte("${1}1s")), 0o600)
}
