package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/state"
)

func TestParseStat(t *testing.T) {
	const tail = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 0 0"
	for _, test := range []struct {
		name, line string
		state      byte
		started    uint64
		fails      bool
	}{
		{name: "plain", line: "17 (etcd) S" + tail, state: 'S', started: 4242},
		{name: "a name with blanks and brackets", line: "17 (a) b) (c) Z" + tail, state: 'Z', started: 4242},
		{name: "cut off", line: "17 (etcd) S 1 2", fails: true},
		{name: "empty", line: "", fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseStat(test.line)
			if (err != nil) != test.fails {
				t.Fatalf("error %v", err)
			}
			if !test.fails && (got.state != test.state || got.started != test.started) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func newSupervisor(t *testing.T) Supervisor {
	t.Helper()
	supervisor := Supervisor{Dir: state.Dir(t.TempDir())}
	if err := supervisor.Dir.Make(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := supervisor.KillAll(); err != nil {
			t.Error(err)
		}
	})
	return supervisor
}

func TestStartFindStop(t *testing.T) {
	supervisor := newSupervisor(t)
	spec := Spec{Name: "sleeper", Command: []string{"sleep", "60"}}
	if err := supervisor.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	first, running := supervisor.Find("sleeper")
	if !running {
		t.Fatal("it does not run")
	}
	if err := supervisor.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if second, _ := supervisor.Find("sleeper"); second.PID != first.PID {
		t.Error("a running program was started again")
	}
	if err := supervisor.Stop("sleeper", time.Second); err != nil {
		t.Fatal(err)
	}
	if _, running := supervisor.Find("sleeper"); running {
		t.Error("it still runs")
	}
	if err := supervisor.Stop("sleeper", time.Second); err != nil {
		t.Errorf("to stop what does not run: %v", err)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	supervisor := newSupervisor(t)
	deaf := supervisor.Dir.Run("deaf")
	err := supervisor.Start(t.Context(), Spec{
		Name:    "deaf",
		Command: []string{"sh", "-c", `trap "" TERM; touch "$0"; while :; do sleep 60; done`, deaf},
		Ready: func(context.Context) error {
			_, err := os.Stat(deaf)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Stop("deaf", 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
}

func TestStartTellsOfAnEarlyEnd(t *testing.T) {
	supervisor := newSupervisor(t)
	err := supervisor.Start(t.Context(), Spec{
		Name:    "broken",
		Command: []string{"sh", "-c", "echo no such flag; exit 3"},
		Ready:   func(context.Context) error { return errors.New("refused") },
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, words := range []string{"exit status 3", "no such flag", "refused"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not in: %v", words, err)
		}
	}
}

func TestRecordOfAnotherProcess(t *testing.T) {
	self, err := readStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		record Record
		alive  bool
	}{
		{"itself", Record{PID: os.Getpid(), Started: self.started, Boot: bootID()}, true},
		{"a number given away again", Record{PID: os.Getpid(), Started: self.started - 1, Boot: bootID()}, false},
		{"before a restart of the machine", Record{PID: os.Getpid(), Started: self.started, Boot: "another"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if alive := test.record.alive(); alive != test.alive {
				t.Errorf("alive is %t", alive)
			}
		})
	}
}

func TestKillAllFindsWhatHasNoRecord(t *testing.T) {
	supervisor := newSupervisor(t)
	if err := supervisor.Start(t.Context(), Spec{Name: "lost", Command: []string{"sleep", "60"}}); err != nil {
		t.Fatal(err)
	}
	record, _ := supervisor.Find("lost")
	if err := os.Remove(supervisor.record("lost")); err != nil {
		t.Fatal(err)
	}
	other := Supervisor{Dir: state.Dir(t.TempDir())}
	if killed, err := other.KillAll(); killed != 0 || err != nil {
		t.Errorf("another lab killed %d processes, error %v", killed, err)
	}
	if others := other.Others(); !slices.Contains(others, string(supervisor.Dir)) {
		t.Errorf("another lab sees the labs %v", others)
	}
	if killed, err := supervisor.KillAll(); killed != 1 || err != nil {
		t.Errorf("killed %d processes, error %v", killed, err)
	}
	if record.alive() {
		t.Error("it still runs")
	}
}

func TestKillAllFindsWhatHasLostItsMark(t *testing.T) {
	supervisor := newSupervisor(t)
	// A master and its worker, with empty environments.
	command := []string{"env", "-i", "sh", "-c", "sleep 61 & sleep 62 & wait"}
	if err := supervisor.Start(t.Context(), Spec{Name: "unmarked", Command: command, Ready: func(context.Context) error {
		if found := supervisor.recorded(); len(found) != 3 || len(supervisor.marked()) != 0 {
			return fmt.Errorf("it has the processes %v, %v with the mark", found, supervisor.marked())
		}
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	if killed, err := supervisor.KillAll(); killed != 3 || err != nil {
		t.Errorf("killed %d processes, error %v", killed, err)
	}
	if left := supervisor.recorded(); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

func TestUntilSaysWhatWasLast(t *testing.T) {
	why := errors.New("the lab did not come up")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, why)
	defer cancel()
	last := errors.New("connection refused")
	err := Until(ctx, func(context.Context) error { return last })
	if !errors.Is(err, why) || !errors.Is(err, last) {
		t.Errorf("got %v", err)
	}
}
