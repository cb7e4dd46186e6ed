package faults

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/registry"
	"aiv.internal/conformance/cmd/lab/state"
)

// TestServiceFaultsAreWhole holds the faults of registry and storage to what makes one of
// use: somebody must find it, in words.
func TestServiceFaultsAreWhole(t *testing.T) {
	id := regexp.MustCompile(`^(\d+(\.\d+)+|N\.2\.[a-z-]+)$`)
	var names []string
	for _, f := range slices.Concat(registryFaults(), storageFaults()) {
		if f.Name == "" || f.Description == "" || len(f.Words) == 0 || len(f.Failed)+len(f.Undecided) == 0 {
			t.Errorf("incomplete: %+v", f)
		}
		if slices.Contains(names, f.Name) {
			t.Errorf("two faults are called %s", f.Name)
		}
		names = append(names, f.Name)
		if (f.Break == nil) != (f.Mend == nil) {
			t.Errorf("%s can be planted or mended, not both", f.Name)
		}
		for _, item := range slices.Concat(f.Failed, f.Undecided, f.May) {
			if !id.MatchString(item) {
				t.Errorf("%s: %q is no item", f.Name, item)
			}
		}
	}
}

func TestPasswordIsRestored(t *testing.T) {
	lab := labForTest(t)
	path := lab.Dir.RegistryPassword()
	if err := os.WriteFile(path, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fault, err := Find(registry.FaultPassword)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // planting twice must not keep the wrong password
		if err := Break(t.Context(), lab, fault); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(path); string(got) == "right\n" {
		t.Error("the password is still right")
	}
	for range 2 {
		if err := Mend(t.Context(), lab, fault); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(path); string(got) != "right\n" {
		t.Errorf("after mending the password is %q", got)
	}
}

func TestStoppedProcessComesBack(t *testing.T) {
	lab := labForTest(t)
	const name = "sleeper"
	t.Cleanup(func() { lab.Supervisor.Stop(name, 0) })
	if err := lab.Supervisor.Start(t.Context(), process.Spec{Name: name, Command: []string{"/bin/sleep", "60"}}); err != nil {
		t.Fatal(err)
	}
	fault := Fault{Name: "asleep", Break: stopProcesses(name), Mend: startProcesses}
	if err := Break(t.Context(), lab, fault); err != nil {
		t.Fatal(err)
	}
	if _, running := lab.Supervisor.Find(name); running {
		t.Error("it still runs")
	}
	if err := Mend(t.Context(), lab, fault); err != nil {
		t.Fatal(err)
	}
	if _, running := lab.Supervisor.Find(name); !running {
		t.Error("it does not run again")
	}
}

func labForTest(t *testing.T) *Lab {
	t.Helper()
	lab := New(state.Dir(t.TempDir()))
	if err := lab.Dir.Make(); err != nil {
		t.Fatal(err)
	}
	return lab
}
