package process

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A lock that a script took around `lab up` must end with the script.
func TestStartedProgramsHoldNothingOfTheirCaller(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	// Without O_CLOEXEC, as a shell opens files.
	descriptor, err := unix.Open(lock, unix.O_CREAT|unix.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(descriptor)
	supervisor := newSupervisor(t)
	if err := supervisor.Start(t.Context(), Spec{Name: "sleeper", Command: []string{"sleep", "60"}}); err != nil {
		t.Fatal(err)
	}
	record, _ := supervisor.Find("sleeper")
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", record.PID))
	if err != nil || len(open) == 0 {
		t.Fatalf("what it has open: %v, %v", open, err)
	}
	for _, link := range open {
		if file, _ := os.Readlink(link); file == lock {
			t.Error("it holds a file that its caller had open")
		}
	}
}
