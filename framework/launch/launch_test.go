package launch_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/launch"
	"aiv.internal/conformance/framework/progress"
	"aiv.internal/conformance/framework/verdict"
)

// The test binary plays all of the runner's roles, with checks that end in every way there is.
func TestMain(m *testing.M) {
	launch.Divert()
	os.Exit(m.Run())
}

const (
	passes, fails, panics, dies = "1.1.1", "1.1.2", "1.1.3", "1.1.4"
	undecided, hangs, warns     = "1.1.5.1", "1.1.5.2", "1.1.5.3"
	prepared                    = "13.1.2"
)

var _ = check.Subsection("13.1", func() {
	ginkgo.Describe("a preparation that hangs", ginkgo.Ordered, func() {
		ginkgo.BeforeAll(func(ctx ginkgo.SpecContext) { <-ctx.Done() })
		check.Item(prepared, func(context.Context, answers.Support) {})
	})
})

var _ = check.Subsection("1.1", func() {
	// The priority brings it before all others.
	check.Item(passes, func(context.Context, answers.Cluster) { check.Evidence("version", "v1.36.1") }, ginkgo.SpecPriority(10))
	check.Item(fails, func(context.Context, answers.Cluster) {
		check.Hint("it is another cluster", "correct the kubeconfig")
		Expect("v1.36.1").To(Equal("v1.35.0"), "the version")
	})
	check.Item(panics, func(context.Context, answers.Cluster) {
		panic("a nil map")
	})
	check.Item(dies, func(context.Context, answers.Cluster) { os.Exit(7) })
	check.Item(undecided, func(context.Context, answers.Cluster) { check.Undecided("a", "b", "c", "d") })
	check.Item(hangs, func(ctx context.Context, _ answers.Cluster) {
		check.Step("wait for what never comes")
		<-ctx.Done()
		check.NoError(ctx.Err(), "wait")
	})
	check.Item(warns, func(context.Context, answers.Cluster) { check.Warn("soon", "", "renew it") })
})

// onStart calls a function when an item begins.
type onStart struct {
	mu   sync.Mutex
	call map[string]func()
}

func (o *onStart) Began(progress.Run)    {}
func (o *onStart) Ended(verdict.Result)  {}
func (o *onStart) Interrupted(os.Signal) {}
func (o *onStart) Started(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.call[id]; f != nil {
		f()
	}
}

func runItems(t *testing.T, workers int, observer launch.Observer, ids ...string) (launch.Outcome, map[string]verdict.Result) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "answers.yaml")
	content := "apiVersion: conformance.aiv.internal/v1\nkind: Answers\ncluster: {version: '1.36', cpuNodes: 1, gpuNodes: 0, namespace: test}\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	selected := map[string]bool{}
	for _, id := range ids {
		selected[id] = true
	}
	config := check.Config{RunID: "test", Version: "test", Answers: file, Kubeconfig: filepath.Join(t.TempDir(), "none"),
		Namespace: "test", Selected: selected, Workers: workers, Timeout: time.Minute}
	if observer == nil {
		observer = &onStart{}
	}
	outcome := launch.Run(t.Context(), config, ids, observer)
	results := map[string]verdict.Result{}
	for _, r := range outcome.Results {
		if _, twice := results[r.ID]; twice {
			t.Errorf("two results for %s", r.ID)
		}
		results[r.ID] = r
	}
	if t.Failed() || testing.Verbose() {
		t.Logf("%s", outcome.Output)
	}
	return outcome, results
}

func TestEveryEndingBecomesAResult(t *testing.T) {
	for name, workers := range map[string]int{"one process": 1, "several": 3} {
		t.Run(name, func(t *testing.T) {
			outcome, results := runItems(t, workers, nil, passes, fails, panics, undecided, warns)
			if outcome.Broken != nil || outcome.Interrupted || len(results) != 5 {
				t.Errorf("broken %v, interrupted %v, %d results", outcome.Broken, outcome.Interrupted, len(results))
			}
			if r := results[passes]; r.Verdict != verdict.Passed || len(r.Evidence) != 1 || r.File != "framework/launch/launch_test.go" {
				t.Errorf("%+v", r)
			}
			if r := results[fails]; r.Verdict != verdict.Failed || !strings.Contains(r.Finding.Found, "v1.35.0") || r.Finding.Do != "correct the kubeconfig" {
				t.Errorf("an assertion fails with its hint: %+v %+v", r, r.Finding)
			}
			if r := results[panics]; r.Verdict != verdict.Undecided || !strings.Contains(r.Finding.Found, "nil map") {
				t.Errorf("a defect of ours is never the customer's failure: %+v %+v", r, r.Finding)
			}
			if r := results[undecided]; r.Verdict != verdict.Undecided || r.Finding.Do != "d" {
				t.Errorf("%+v", r)
			}
			if r := results[warns]; r.Verdict != verdict.Passed || len(r.Warnings) != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAWorkerThatDiesLosesNoResult(t *testing.T) {
	outcome, results := runItems(t, 2, nil, passes, dies, warns)
	if outcome.Broken == nil || !strings.Contains(outcome.Broken.Error(), "did not run") {
		t.Errorf("the run broke, but says %v", outcome.Broken)
	}
	if r := results[dies]; r.Verdict != verdict.Undecided {
		t.Errorf("%+v", r)
	}
	if len(results) != 3 {
		t.Errorf("%d results, want one for each item that was asked for", len(results))
	}
}

func TestASignalEndsTheRunWithAReport(t *testing.T) {
	observer := &onStart{call: map[string]func(){hangs: func() { syscall.Kill(os.Getpid(), syscall.SIGTERM) }}}
	began := time.Now()
	outcome, results := runItems(t, 2, observer, passes, hangs)
	if !outcome.Interrupted || outcome.Aborted {
		t.Errorf("interrupted %v, aborted %v", outcome.Interrupted, outcome.Aborted)
	}
	if r := results[hangs]; r.Verdict != verdict.Undecided || !strings.Contains(r.Finding.Error(), "interrupted") {
		t.Errorf("%+v %v", r, r.Finding)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A chain whose preparation is interrupted never begins its item: the result must be that
// item's, and not a second one of the item before it.
func TestAnInterruptedPreparationIsItsOwnItemsResult(t *testing.T) {
	observer := &onStart{call: map[string]func(){passes: func() {
		time.AfterFunc(500*time.Millisecond, func() { syscall.Kill(os.Getpid(), syscall.SIGTERM) })
	}}}
	_, results := runItems(t, 1, observer, passes, prepared)
	if r := results[passes]; r.Verdict != verdict.Passed {
		t.Errorf("%+v %v", r, r.Finding)
	}
	if r := results[prepared]; r.Verdict != verdict.Undecided {
		t.Errorf("%+v", r)
	}
}

func TestARunThatCannotBeginHasAResultForEachItem(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "not there"))
	outcome := launch.Run(t.Context(), check.Config{RunID: "test", Timeout: time.Minute, Workers: 1}, []string{passes, fails}, &onStart{})
	if outcome.Broken == nil || len(outcome.Results) != 2 || outcome.Results[0].Verdict != verdict.Undecided {
		t.Errorf("%+v", outcome)
	}
}
