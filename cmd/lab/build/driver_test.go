package build

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aiv.internal/conformance/cmd/lab/console"
	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/state"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDriver counts how often the driver's script runs: once for each state of the sources.
func TestDriver(t *testing.T) {
	source, dir := t.TempDir(), state.Dir(t.TempDir())
	runs := filepath.Join(t.TempDir(), "runs")
	write(t, filepath.Join(source, "gpu/driver/source/cuda.c"), "int x;\n")
	write(t, filepath.Join(source, "gpu/driver/build.sh"),
		"echo run >>"+runs+"\nfor file in "+strings.Join(device.Libraries, " ")+"; do echo made >$1/$file; done\n")
	build := func(want int) {
		t.Helper()
		if err := driver(t.Context(), dir, source, console.New(io.Discard)); err != nil {
			t.Fatal(err)
		}
		content, _ := os.ReadFile(runs)
		if got := strings.Count(string(content), "run"); got != want || !driverBuilt(dir) {
			t.Errorf("built %d times, want %d; there: %t", got, want, driverBuilt(dir))
		}
	}
	build(1)
	build(1)
	write(t, filepath.Join(source, "gpu/driver/source/cuda.c"), "int y;\n")
	build(2)
	if err := os.Remove(filepath.Join(device.Folder(dir), device.Libraries[0])); err != nil {
		t.Fatal(err)
	}
	build(3)

	write(t, filepath.Join(source, "gpu/driver/build.sh"), "echo no such compiler\nexit 1\n")
	if err := driver(t.Context(), dir, source, console.New(io.Discard)); err == nil || !strings.Contains(err.Error(), "no such compiler") {
		t.Errorf("got %v", err)
	}
	if !driverBuilt(dir) {
		t.Error("a failed build removed the driver that was there")
	}
}

// TestSources: what a program imports of this module is what it is made from, too.
func TestSources(t *testing.T) {
	module := t.TempDir()
	write(t, filepath.Join(module, "tool/main.go"), "package main\nimport _ \""+modulePath+"/near\"\nimport _ \"example.com/x\"\n")
	write(t, filepath.Join(module, "tool/main_test.go"), "package main\nimport _ \""+modulePath+"/other\"\n")
	write(t, filepath.Join(module, "near/near.go"), "package near\nimport _ \""+modulePath+"/far\"\n")
	write(t, filepath.Join(module, "far/far.go"), "package far\n")
	write(t, filepath.Join(module, "other/other.go"), "package other\n")
	files, err := sources(module, filepath.Join(module, "./tool"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	if got := strings.Join(names, " "); got != "main.go near.go far.go" {
		t.Errorf("got %s", got)
	}
}
