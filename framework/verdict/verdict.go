// Package verdict holds what a run says of each item of the checklist, and the arithmetic
// over it: the worst of several, the verdicts of headings and of derived items, the exit
// code. It is pure: it reads no file, no cluster and no clock.
package verdict

import (
	"time"

	"aiv.internal/conformance/framework/finding"
)

// Verdict is the outcome of one item.
type Verdict string

const (
	// Passed: measured, and as the answers file says.
	Passed Verdict = "passed"
	// Attested: a named person vouches for it, and the attestation is current.
	Attested Verdict = "attested"
	// Failed: measured or attested, and not met.
	Failed Verdict = "failed"
	// Undecided: something outside the requirement kept the check from deciding.
	Undecided Verdict = "undecided"
	// Unchecked: this version of the suite has no check for the item yet.
	Unchecked Verdict = "unchecked"
	// NotAnswered: the answers file does not say what should be there.
	NotAnswered Verdict = "not answered"
	// NotApplicable: the answers rule the item out.
	NotApplicable Verdict = "not applicable"
	// Waived: not met, and somebody with a name accepted that until a date.
	Waived Verdict = "waived"
)

// severity orders verdicts from harmless to worst. A verdict that is missing here would
// count as harmless, so Severity treats it as the worst.
var severity = map[Verdict]int{
	NotApplicable: 0,
	Passed:        1,
	Attested:      2,
	Waived:        3,
	NotAnswered:   4,
	Unchecked:     5,
	Undecided:     6,
	Failed:        7,
}

// Severity ranks v: the higher, the worse.
func (v Verdict) Severity() int {
	if rank, known := severity[v]; known {
		return rank
	}
	return len(severity)
}

// Met tells whether v counts as fulfilled: passed, attested, or ruled out by the answers.
func (v Verdict) Met() bool { return v == Passed || v == Attested || v == NotApplicable }

// Worst returns the worst of the given verdicts, NotApplicable if there are none.
func Worst(verdicts ...Verdict) Verdict {
	worst := NotApplicable
	for _, v := range verdicts {
		if v.Severity() > worst.Severity() {
			worst = v
		}
	}
	return worst
}

// Evidence is one measured value that a check recorded.
type Evidence struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// Result is what a run says of one item.
type Result struct {
	ID      string  `json:"id"`
	Verdict Verdict `json:"verdict"`
	// Seconds that the check took, preparation and cleanup included.
	Seconds float64   `json:"seconds"`
	Started time.Time `json:"started,omitzero"`
	// Finding says what is wrong; set where Verdict is Failed, Undecided or Waived.
	Finding *finding.Finding `json:"finding,omitempty"`
	// Warnings need somebody's eye but do not fail the item.
	Warnings []finding.Finding `json:"warnings,omitempty"`
	Evidence []Evidence        `json:"evidence,omitempty"`
	// Reason is why the item was not measured: the key to set, the answer that rules
	// it out, the waiver.
	Reason string `json:"reason,omitempty"`
	// Contact is whom to call, from the subsection's contact in the answers file.
	Contact string `json:"contact,omitempty"`
	// File is the source file of the check, from the repository's root.
	File string `json:"file,omitempty"`
	// Log is what the check wrote on its way; kept for items that are not met.
	Log string `json:"log,omitempty"`
}

// Exit codes of the runner.
const (
	ExitMet       = 0
	ExitNotMet    = 1
	ExitUsage     = 2
	ExitUndecided = 3
	ExitWarnings  = 4
	ExitAborted   = 130
)

// ExitCode tells how a run with these results ends: not met before undecided before what
// only needs an eye.
func ExitCode(results []Result) int {
	code := ExitMet
	for _, r := range results {
		switch {
		case r.Verdict == Failed:
			return ExitNotMet
		case r.Verdict.Severity() >= Undecided.Severity():
			code = ExitUndecided
		case code == ExitMet && (!r.Verdict.Met() || len(r.Warnings) > 0):
			code = ExitWarnings
		}
	}
	return code
}
