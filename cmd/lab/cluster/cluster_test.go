package cluster

import (
	"errors"
	"os"
	"slices"
	"testing"

	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/state"
)

func TestRemoveStateKeepsWhatWasBuilt(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{dir.Bin("kube"), dir.Path("lock"), dir.Answers(), dir.Run("etcd.pid")} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeState(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if !slices.Equal(left, []string{"bin", "lock"}) || !exists(dir.Bin("kube")) {
		t.Errorf("left are %v", left)
	}
	if err := removeState(state.Dir(dir.Path("nowhere"))); err != nil {
		t.Errorf("to remove what is not there: %v", err)
	}
}

func TestLockIsForOne(t *testing.T) {
	lab := Lab{Dir: state.Dir(t.TempDir())}
	unlock, err := lab.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.lock(); err == nil {
		t.Error("locked twice")
	}
	unlock()
	again, err := lab.lock()
	if err != nil {
		t.Fatalf("locked after it was given back: %v", err)
	}
	again()
}

func TestProcessesHaveDistinctNames(t *testing.T) {
	for _, full := range []bool{false, true} {
		names := sorted(Processes(full))
		if compact := slices.Compact(slices.Clone(names)); len(compact) != len(names) {
			t.Errorf("a name is there twice: %v", names)
		}
	}
}

func TestToBeFull(t *testing.T) {
	for _, test := range []struct {
		name                       string
		asked, lives, full, broken bool
		want, refused              bool
	}{
		{name: "nothing there", asked: true, want: true},
		{name: "core lives", lives: true, broken: true},
		{name: "core becomes full", asked: true, lives: true, want: true},
		{name: "core with a fault becomes full", asked: true, lives: true, broken: true, refused: true},
		{name: "full stays", lives: true, full: true, broken: true, want: true},
		{name: "remains of a core lab with a fault", asked: true, broken: true, want: true},
		{name: "remains of a full lab", full: true, broken: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := state.Dir(t.TempDir())
			err := dir.Make()
			if test.full {
				err = errors.Join(err, dir.MakeFull())
			}
			if test.broken {
				err = errors.Join(err, os.WriteFile(dir.Fault(faults.Names()[0]), nil, 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := Lab{Dir: dir}.toBeFull(test.asked, test.lives)
			if got != test.want || (err != nil) != test.refused {
				t.Errorf("full %t, error %v; want %t, an error %t", got, err, test.want, test.refused)
			}
		})
	}
}
