package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

func TestConfigure(t *testing.T) {
	dir := state.Dir(t.TempDir())
	worker := topology.Nodes()[1]
	if err := Configure(dir, worker); err != nil {
		t.Fatal(err)
	}
	network, err := os.ReadFile(filepath.Join(CNIFolder(dir, worker.Name), "10-lab.conflist"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(network) || !strings.Contains(string(network), worker.PodCIDR) {
		t.Errorf("CNI configuration:\n%s", network)
	}
	for _, name := range []string{"kubelet.yaml", "kube-proxy.yaml"} {
		content, err := os.ReadFile(file(dir, worker, name))
		if err != nil {
			t.Fatal(err)
		}
		var parsed map[string]any
		if err := yaml.UnmarshalStrict(content, &parsed); err != nil {
			t.Errorf("%s: %v\n%s", name, err, content)
		}
		if strings.Contains(string(content), "lab-node1") {
			t.Errorf("%s of %s speaks of another node:\n%s", name, worker.Name, content)
		}
	}
}

func TestConfigureLeavesEqualFilesAlone(t *testing.T) {
	dir := state.Dir(t.TempDir())
	worker := topology.Nodes()[0]
	if err := Configure(dir, worker); err != nil {
		t.Fatal(err)
	}
	// A file that may not be written shows that it was not.
	proxy := file(dir, worker, "kube-proxy.yaml")
	before, err := os.Stat(proxy)
	if err != nil {
		t.Fatal(err)
	}
	if err := Configure(dir, worker); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(proxy); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the file was written again: %v", err)
	}
}

func TestInheritCpuset(t *testing.T) {
	root, group := t.TempDir(), t.TempDir()
	write := func(folder, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "cpuset.cpus"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(group, "cpuset.cpus"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	write(root, "0-3\n")
	write(group, "\n")
	if err := inheritCpuset(root, group, "cpuset.cpus"); err != nil || read() != "0-3" {
		t.Errorf("an empty group got %q, error %v", read(), err)
	}
	write(group, "1\n")
	if err := inheritCpuset(root, group, "cpuset.cpus"); err != nil || read() != "1\n" {
		t.Errorf("a group with processors got %q, error %v", read(), err)
	}
	if err := inheritCpuset(root, group, "cpuset.mems"); err != nil {
		t.Errorf("a hierarchy without memories: %v", err)
	}
}
