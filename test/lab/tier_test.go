//go:build lab

package lab

import (
	"context"
	"slices"
	"testing"

	"aiv.internal/conformance/framework/verdict"
)

// TestCoreLabIsSilent looks at the lab that has no ingress controller: what is about one is not
// answered, all else is as it must be. It is the last test, since it takes the full lab down.
func TestCoreLabIsSilent(t *testing.T) {
	if err := lab.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := lab.Destroy(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if _, err := lab.Command(t.Context(), "up"); err != nil {
		t.Fatal(err)
	}
	o := run(t)
	if o.code != verdict.ExitWarnings {
		t.Errorf("exit code %d, want %d (not everything is answered)", o.code, verdict.ExitWarnings)
	}
	var unanswered []string
	for _, item := range o.items {
		switch item.Verdict {
		case verdict.Failed, verdict.Undecided:
			t.Errorf("%s %s is %s:\n%s", item.ID, item.Title, item.Verdict, item.Explanation())
		case verdict.NotAnswered:
			unanswered = append(unanswered, item.ID)
		}
	}
	slices.Sort(unanswered)
	if want := []string{"2.2.2", "2.2.3", "2.2.4", "N.1.1", "N.1.2"}; !slices.Equal(unanswered, want) {
		t.Errorf("not answered are %v, want %v", unanswered, want)
	}
}
