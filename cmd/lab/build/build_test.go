package build

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"aiv.internal/conformance/cmd/lab/console"
	"aiv.internal/conformance/cmd/lab/state"
)

func TestStamp(t *testing.T) {
	source := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module x\n")
	write("go.sum", "")
	write("tool/main.go", "package main\n")
	tool := target{module: ".", packages: []string{"./tool"}, programs: []string{"tool"}, links: []string{"alias"}}
	stamp := func() string {
		t.Helper()
		hash, err := tool.stamp(source)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	first := stamp()
	write("other/main.go", "package other\n")
	if stamp() != first {
		t.Error("a foreign file changed the stamp")
	}
	write("tool/main.go", "package main // changed\n")
	second := stamp()
	if second == first {
		t.Error("a changed source did not change the stamp")
	}
	write("go.mod", "module x\nrequire y v1.0.0\n")
	if stamp() == second {
		t.Error("changed requirements did not change the stamp")
	}

	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{dir.Bin("tool"): "", tool.stampFile(dir): "now"} {
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if tool.built(dir, "now") {
		t.Error("counts as built without its link")
	}
	if err := link(dir, "tool", tool.links); err != nil {
		t.Fatal(err)
	}
	if !tool.built(dir, "now") || tool.built(dir, "later") {
		t.Error("the stamp does not decide")
	}
}

// TestBuild builds where the version control's state cannot be had, as in a checkout of
// another user, and with flags in the environment.
func TestBuild(t *testing.T) {
	source := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":   "module x\n\ngo 1.26\n",
		"main.go":  "package main\n\nfunc main() { print(word) }\n",
		"plain.go": "//go:build !tagged\n\npackage main\n\nconst word = \"plain\"\n",
		"tag.go":   "//go:build tagged\n\npackage main\n\nconst word = \"tagged\"\n",
	} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(source, ".git"), 0o755); err != nil { // no repository, as git sees it
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-mod=mod -tags=tagged -buildvcs=true")
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	tool := target{module: ".", packages: []string{"."}, programs: []string{"x"}, flags: "-s -w"}
	if err := tool.build(t.Context(), dir, source, console.New(io.Discard)); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(dir.Bin("x")).CombinedOutput(); err != nil || string(said) != "tagged" {
		t.Errorf("the program says %q, error %v", said, err)
	}
}

func TestReadMessages(t *testing.T) {
	messages := "go: downloading x v1.0.0\nk8s.io/api\nnet/http\n# k8s.io/broken\nmain.go:3:1: syntax error\n"
	var compiled atomic.Int64
	complaints := readMessages(strings.NewReader(messages), &compiled)
	if compiled.Load() != 2 || strings.Join(complaints, "|") != "# k8s.io/broken|main.go:3:1: syntax error" {
		t.Errorf("%d compiled, complaints %q", compiled.Load(), complaints)
	}
}

func TestTargetsNameTheirVersion(t *testing.T) {
	for _, part := range []string{"gitVersion=" + KubernetesVersion, "gitMajor=1 ", "gitMinor=36"} {
		if flags := targets()[0].flags; !strings.Contains(flags+" ", part) {
			t.Errorf("%q is not in %q", part, flags)
		}
	}
	content, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "k8s.io/kubernetes "+KubernetesVersion+"\n") {
		t.Errorf("go.mod does not require k8s.io/kubernetes %s", KubernetesVersion)
	}
}
