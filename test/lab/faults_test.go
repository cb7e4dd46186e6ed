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
	// Borne are items that must be met all the same.
	Borne []string `json:"borne"`
	// May are items that need what is broken, and so may end undecided.
	May []string `json:"may"`
	// MayFail are items in which the defect may show as well.
	MayFail []string `json:"mayFail"`
	Words   []string `json:"words"`
	// Answers: the defect is in the answers file or the kubeconfig.
	Answers bool `json:"answers"`
}

// TestFaults plants each fault of the lab, and expects the items that it is declared for to
// find it in the declared words, nobody else to see anything, and silence once it is mended.
// What is to be borne must leave the declared items met.
// Faults of different subsections that touch no item in common are planted together: one run
// finds them all.
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
	// mended are the faults before: the next run shows whether their items are well again,
	// unless its own faults touch them too.
	var mended planted
	for _, together := range apart(faults) {
		t.Run(together.name(), func(t *testing.T) {
			if mended.meets(together.touches) {
				mended.healed(t)
			}
			for _, f := range together {
				t.Cleanup(func() {
					// The test's own context has ended by now.
					if _, err := lab.Command(context.WithoutCancel(t.Context()), "mend", f.Name); err != nil {
						t.Error(err)
					}
				})
				if _, err := lab.Command(t.Context(), "break", f.Name); err != nil {
					t.Fatal(err)
				}
			}
			o := run(t)
			together.examine(t, o, mended)
			mended = together
		})
	}
	if len(mended) > 0 {
		mended.healed(t)
	}
}

// planted are faults that are there at the same time.
type planted []fault

// maxTogether keeps a failed test readable.
const maxTogether = 4

// apart puts faults together that touch no item in common, of which no two are of one
// subsection, where one defect may hide what tells of another, and of which at most one is in
// the answers file, which each of them would write anew. Those that touch most choose first.
func apart(faults []fault) []planted {
	faults = slices.SortedStableFunc(slices.Values(faults), func(a, b fault) int { return len(b.touched()) - len(a.touched()) })
	var groups []planted
next:
	for _, f := range faults {
		for i, group := range groups {
			answers := f.Answers && slices.ContainsFunc(group, func(g fault) bool { return g.Answers })
			if len(group) < maxTogether && !answers && !slices.ContainsFunc(f.touched(), group.touches) && !group.meets(f.besides) {
				groups[i] = append(group, f)
				continue next
			}
		}
		groups = append(groups, planted{f})
	}
	return groups
}

func (p planted) name() string {
	var names []string
	for _, f := range p {
		names = append(names, f.Name)
	}
	return strings.Join(names, "+")
}

// concerned are the items that find or bear the fault, touched also those that it may keep from
// passing.
func (f fault) concerned() []string { return slices.Concat(f.Failed, f.Undecided, f.Borne) }
func (f fault) touched() []string   { return slices.Concat(f.concerned(), f.May, f.MayFail) }

// besides tells whether the item is of a subsection whose items find the fault.
func (f fault) besides(item string) bool {
	return slices.ContainsFunc(f.concerned(), func(own string) bool { return subsection(own) == subsection(item) })
}

// subsection is the beginning of an item's ID: 6.1 of 6.1.4.1.
func subsection(item string) string {
	parts := strings.SplitN(item, ".", 3)
	return strings.Join(parts[:2], ".")
}

// touches tells whether one of the faults may keep the item from passing.
func (p planted) touches(item string) bool {
	return slices.ContainsFunc(p, func(f fault) bool { return slices.Contains(f.touched(), item) })
}

// meets tells whether one of the items that find the faults is among others.
func (p planted) meets(others func(item string) bool) bool {
	return slices.ContainsFunc(p, func(f fault) bool { return slices.ContainsFunc(f.concerned(), others) })
}

// healed expects the items that found the faults to be well, now that these are mended.
func (p planted) healed(t *testing.T) {
	t.Helper()
	var items []string
	for _, f := range p {
		items = append(items, f.concerned()...)
	}
	for _, item := range run(t, "--focus", strings.Join(items, ",")).items {
		if slices.Contains(items, item.ID) && !item.Verdict.Met() {
			t.Errorf("after mending %s, %s is %s:\n%s", p.name(), item.ID, item.Verdict, item.Explanation())
		}
	}
}

// examine holds a run against what the faults declare; before are those that were mended just
// now.
func (p planted) examine(t *testing.T, o outcome, before planted) {
	t.Helper()
	var mayFail, mayBeUndecided []string
	want := verdict.ExitUndecided
	for _, f := range p {
		for _, id := range f.Borne {
			if item := o.items[id]; !item.Verdict.Met() {
				t.Errorf("%s is %q, and is to bear %s:\n%s", id, item.Verdict, f.Name, item.Explanation())
			}
		}
		for _, id := range f.Failed {
			f.expect(t, o.items[id], id, verdict.Failed, "expected:", "found:", "why:", "do:", "call:")
		}
		for _, id := range f.Undecided {
			f.expect(t, o.items[id], id, verdict.Undecided, "found:", "do:", "call:")
		}
		mayFail = slices.Concat(mayFail, f.Failed, f.MayFail)
		mayBeUndecided = slices.Concat(mayBeUndecided, f.Undecided, f.May)
		if len(f.Failed) > 0 {
			want = verdict.ExitNotMet
		}
	}
	for _, item := range o.items {
		unexplained := item.Verdict == verdict.Failed && !slices.Contains(mayFail, item.ID) ||
			item.Verdict == verdict.Undecided && !slices.Contains(mayBeUndecided, item.ID)
		measured := item.Kind == "probe" || item.Kind == "attest" || item.Kind == "run"
		if measured && item.Verdict == verdict.Failed {
			want = verdict.ExitNotMet // even where the fault only may make it fail
		}
		if measured && unexplained {
			t.Errorf("%s is %s, which no fault explains (mended before: %q):\n%s", item.ID, item.Verdict, before.name(), item.Explanation())
		}
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
