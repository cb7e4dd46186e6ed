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
	// mended is the fault before: the next fault's run shows whether its items are well again,
	// unless that fault touches them too.
	var mended fault
	for _, f := range interleaved(faults) {
		t.Run(f.Name, func(t *testing.T) {
			if slices.ContainsFunc(mended.concerned(), f.touches) {
				mended.healed(t)
			}
			t.Cleanup(func() {
				// The test's own context has ended by now.
				if _, err := lab.Command(context.WithoutCancel(t.Context()), "mend", f.Name); err != nil {
					t.Error(err)
				}
			})
			if _, err := lab.Command(t.Context(), "break", f.Name); err != nil {
				t.Fatal(err)
			}
			o := run(t)
			f.examine(t, o, mended)
			mended = f
		})
	}
	if mended.Name != "" {
		mended.healed(t)
	}
}

// interleaved returns the faults in an order in which neighbours are of different sections
// where that can be: first one of each, then the next of each.
func interleaved(faults []fault) []fault {
	seen := map[string]int{}
	turn := make(map[string]int, len(faults))
	for _, f := range faults {
		section, _, _ := strings.Cut(f.concerned()[0], ".")
		turn[f.Name] = seen[section]
		seen[section]++
	}
	slices.SortStableFunc(faults, func(a, b fault) int { return turn[a.Name] - turn[b.Name] })
	return faults
}

// concerned are the items that find the fault.
func (f fault) concerned() []string { return slices.Concat(f.Failed, f.Undecided) }

// touches tells whether the fault may keep the item from passing.
func (f fault) touches(item string) bool {
	return slices.Contains(slices.Concat(f.Failed, f.Undecided, f.May, f.MayFail), item)
}

// healed expects the items that found the fault to be well, now that it is mended.
func (f fault) healed(t *testing.T) {
	t.Helper()
	for _, item := range run(t, "--focus", strings.Join(f.concerned(), ",")).items {
		if slices.Contains(f.concerned(), item.ID) && !item.Verdict.Met() {
			t.Errorf("after mending %s, %s is %s:\n%s", f.Name, item.ID, item.Verdict, item.Explanation())
		}
	}
}

// examine holds a run against what the fault declares; before is the fault that was mended
// just now.
func (f fault) examine(t *testing.T, o outcome, before fault) {
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
			t.Errorf("%s is %s, which the fault does not explain (mended before it: %q):\n%s", item.ID, item.Verdict, before.Name, item.Explanation())
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
