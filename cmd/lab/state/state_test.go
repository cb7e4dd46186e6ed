package state

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	inner := filepath.Join(root, "cmd", "lab")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	for folder, module := range map[string]string{root: Module, inner: Module + "/cmd/lab"} {
		if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module "+module+"\n\ngo 1.26.0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(inner)
	t.Setenv(EnvironmentVariable, "")
	// The kernel may know the temporary folder by another path.
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := Dir(filepath.Join(filepath.Dir(filepath.Dir(here)), Folder))
	if got, err := Find(); err != nil || got != want {
		t.Errorf("inside the nested module: %s, %v; want %s", got, err, want)
	}
	t.Setenv(EnvironmentVariable, "/somewhere/lab")
	if got, err := Find(); err != nil || got != "/somewhere/lab" {
		t.Errorf("named: %s, %v", got, err)
	}
	t.Setenv(EnvironmentVariable, "")
	t.Chdir("/")
	if got, err := Find(); err == nil {
		t.Errorf("outside of the repository: %s", got)
	}
}

func TestFaultActive(t *testing.T) {
	dir := Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	if dir.FaultActive("x") {
		t.Error("active before it was planted")
	}
	if err := os.WriteFile(dir.Fault("x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !dir.FaultActive("x") {
		t.Error("not active")
	}
}
