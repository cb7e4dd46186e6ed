package build

import (
	"os"
	"path/filepath"
	"testing"

	"aiv.internal/conformance/cmd/lab/state"
)

// TestDefinitions copies files of a module that the build's own requires.
func TestDefinitions(t *testing.T) {
	source, other := t.TempDir(), t.TempDir()
	write(t, filepath.Join(other, "go.mod"), "module example.com/other\n\ngo 1.26\n")
	write(t, filepath.Join(other, "crd/one.yaml"), "kind: One\n")
	write(t, filepath.Join(other, "crd/two.yml"), "kind: Two\n")
	write(t, filepath.Join(source, "go.mod"),
		"module x\n\ngo 1.26\n\nrequire example.com/other v0.0.0\n\nreplace example.com/other => "+other+"\n")
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOWORK", "off")
	d := definitions{module: "example.com/other", files: "crd/*.yaml", to: "other-crd"}
	old := dir.Bin("other-crd/old.yaml")
	write(t, old, "kind: Old\n")
	if err := d.copy(t.Context(), dir, source); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir.Bin("other-crd"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "one.yaml" {
		t.Errorf("%v, %v", entries, err)
	}
	d.files = "nothing/*.yaml"
	if err := d.copy(t.Context(), dir, source); err == nil {
		t.Error("no definitions are no error")
	}
	d.module = "example.com/none"
	if err := d.copy(t.Context(), dir, source); err == nil {
		t.Error("a module that is not required was found")
	}
}
