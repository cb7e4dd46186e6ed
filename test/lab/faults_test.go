//go:build lab

package lab

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/report"
	"aiv.internal/conformance/framework/verdict"
)

// fault is one line of `lab faults -o json`.
type fault struct {
	Name      string   `json:"name"`
	Failed    []string `json:"failed"`
	Undecided []string `json:"undecided"`
	// May are items that need what is broken, and so may end undecided.
	May []string `json:"may"`
	// MayFail are items in which the defect may show as well.
	MayFail []string `json:"mayFail"`
	Words   []string `json:"words"`
}

// TestFaults plants each fault of the lab, and expects the items that it is declared for to
// find it in the declared words, nobody else to see anything, and silence once it is mended.
func TestFaults(t *testing.T) {
	output, err := lab.Command(t.Context(), "faults", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var faults []fault
	if err := json.Unmarshal([]byte(output), &faults); err != nil {
		t.Fatalf("%v in\n%s", err, output)
	}
	if len(faults) == 0 {
		t.Fatal("the lab has no faults")
	}
	for _, f := range faults {
		t.Run(f.Name, func(t *testing.T) {
			t.Cleanup(func() {
				// The test's own context has ended by now.
				if _, err := lab.Command(context.WithoutCancel(t.Context()), "mend", f.Name); err != nil {
					t.Error(err)
				}
			})
			if _, err := lab.Command(t.Context(), "break", f.Name); err != nil {
				t.Fatal(err)
			}
			f.examine(t, run(t))
			if _, err := lab.Command(t.Context(), "mend", f.Name); err != nil {
				t.Fatal(err)
			}
			concerned := slices.Concat(f.Failed, f.Undecided)
			for _, item := range run(t, "--focus", strings.Join(concerned, ",")).items {
				if slices.Contains(concerned, item.ID) && !item.Verdict.Met() {
					t.Errorf("after mending, %s is %s:\n%s", item.ID, item.Verdict, item.Explanation())
				}
			}
		})
	}
}

func (f fault) examine(t *testing.T, o outcome) {
	t.Helper()
	for _, id := range f.Failed {
		f.expect(t, o.items[id], id, verdict.Failed, "expected:", "found:", "why:", "do:", "call:")
	}
	for _, id := range f.Undecided {
		f.expect(t, o.items[id], id, verdict.Undecided, "found:", "do:", "call:")
	}
	mayFail := slices.Concat(f.Failed, f.MayFail)
	mayBeUndecided := slices.Concat(f.Undecided, f.May)
	for _, item := range o.items {
		unexplained := item.Verdict == verdict.Failed && !slices.Contains(mayFail, item.ID) ||
			item.Verdict == verdict.Undecided && !slices.Contains(mayBeUndecided, item.ID)
		measured := item.Kind == "probe" || item.Kind == "attest" || item.Kind == "run"
		if measured && unexplained {
			t.Errorf("%s is %s, which the fault does not explain:\n%s", item.ID, item.Verdict, item.Explanation())
		}
	}
	want := verdict.ExitUndecided
	if len(f.Failed) > 0 {
		want = verdict.ExitNotMet
	}
	if o.code != want {
		t.Errorf("exit code %d, want %d", o.code, want)
	}
}

// expect holds one item's verdict and message against what the fault declares.
func (f fault) expect(t *testing.T, item report.Item, id string, want verdict.Verdict, parts ...string) {
	t.Helper()
	if item.Verdict != want {
		t.Errorf("%s is %q, want %q:\n%s", id, item.Verdict, want, item.Explanation())
		return
	}
	text := strings.ToLower(item.Explanation())
	for _, word := range f.Words {
		if !strings.Contains(text, strings.ToLower(word)) {
			t.Errorf("the message of %s lacks %q:\n%s", id, word, item.Explanation())
		}
	}
	for _, part := range parts {
		if !strings.Contains("\n"+text, "\n"+part) {
			t.Errorf("the message of %s has no line %q:\n%s", id, part, item.Explanation())
		}
	}
}
