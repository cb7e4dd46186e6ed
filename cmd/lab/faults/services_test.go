package faults

import (
	"os"
	"testing"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/registry"
)

func TestPasswordIsRestored(t *testing.T) {
	lab := newLab(t)
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
	lab := newLab(t)
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
