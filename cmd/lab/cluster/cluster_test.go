package cluster

import (
	"os"
	"slices"
	"testing"

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
