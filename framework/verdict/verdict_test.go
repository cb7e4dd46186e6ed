package verdict

import (
	"testing"

	"aiv.internal/conformance/framework/finding"
)

func TestWorst(t *testing.T) {
	for _, c := range []struct {
		verdicts []Verdict
		want     Verdict
	}{
		{nil, NotApplicable},
		{[]Verdict{NotApplicable, Passed}, Passed},
		{[]Verdict{Passed, Attested, Waived}, Waived},
		{[]Verdict{Unchecked, NotAnswered}, Unchecked},
		{[]Verdict{Undecided, Unchecked}, Undecided},
		{[]Verdict{Failed, Undecided}, Failed},
		{[]Verdict{Failed, "a verdict that nobody knows"}, "a verdict that nobody knows"},
	} {
		if got := Worst(c.verdicts...); got != c.want {
			t.Errorf("Worst(%v) = %q, want %q", c.verdicts, got, c.want)
		}
	}
}

func TestExitCode(t *testing.T) {
	warned := Result{Verdict: Passed, Warnings: []finding.Finding{{Found: "soon"}}}
	for name, c := range map[string]struct {
		results []Result
		want    int
	}{
		"nothing":               {nil, ExitMet},
		"all met":               {[]Result{{Verdict: Passed}, {Verdict: Attested}, {Verdict: NotApplicable}}, ExitMet},
		"a warning":             {[]Result{{Verdict: Passed}, warned}, ExitWarnings},
		"unanswered":            {[]Result{{Verdict: NotAnswered}, {Verdict: Passed}}, ExitWarnings},
		"no check yet":          {[]Result{{Verdict: Unchecked}}, ExitWarnings},
		"waived":                {[]Result{{Verdict: Waived}}, ExitWarnings},
		"undecided first":       {[]Result{{Verdict: Undecided}, warned}, ExitUndecided},
		"undecided last":        {[]Result{warned, {Verdict: Undecided}}, ExitUndecided},
		"failed beats the rest": {[]Result{{Verdict: Undecided}, {Verdict: Failed}, warned}, ExitNotMet},
		"unknown is no success": {[]Result{{Verdict: "new"}}, ExitUndecided},
	} {
		if got := ExitCode(c.results); got != c.want {
			t.Errorf("%s: ExitCode = %d, want %d", name, got, c.want)
		}
	}
}
