package node

import (
	"encoding/json"
	"os"
	"os/exec"
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

// TestGPURuntime: only a node with GPUs knows NVIDIA's runtime, and runc stays its default.
func TestGPURuntime(t *testing.T) {
	dir := state.Dir(t.TempDir())
	for _, worker := range topology.Nodes() {
		if err := Configure(dir, worker); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file(dir, worker, "containerd.toml"))
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		for _, words := range []string{"containerd.runtimes.nvidia.options]", `BinaryName = "` + dir.Bin("nvidia-container-runtime") + `"`} {
			if strings.Contains(text, words) != (worker.GPUs > 0) {
				t.Errorf("%s with %d GPUs: %s in its configuration is %t", worker.Name, worker.GPUs, words, worker.GPUs == 0)
			}
		}
		if !strings.Contains(text, `default_runtime_name = "runc"`) {
			t.Errorf("the default runtime of %s is another one", worker.Name)
		}
	}
}

// TestDevicePlugins runs what surrounds a kubelet, with a program in the place of it that
// looks at its folder. Needs root with all capabilities, which containers of CI jobs lack.
func TestDevicePlugins(t *testing.T) {
	if output, err := exec.CommandContext(t.Context(), "unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace can be made: %s", output)
	}
	shared, own := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(own, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	command := bindOver(own, shared, "ls", shared)
	// A namespace around it stands for the lab's: the folder is a private mount of its own there.
	outer := `mount --bind "$0" "$0" && mount --make-private "$0" && "$@" && ls "$0"`
	arguments := append([]string{"--mount", "sh", "-c", outer, shared}, command...)
	output, err := exec.CommandContext(t.Context(), "unshare", arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if string(output) != "mine\n" {
		t.Errorf("inside and outside hold %q, meant is mine and nothing", output)
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
