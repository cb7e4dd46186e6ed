package report

import (
	"strings"
	"testing"

	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/verdict"
)

func TestWhatIsSimulatedSaysSo(t *testing.T) {
	catalogue, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	evidence := []verdict.Evidence{{Key: "simulated", Value: "no real GPU"}}
	var out strings.Builder
	terminal := NewTerminal(&out, Style{}, catalogue, 3)
	terminal.Ended(verdict.Result{ID: "1.2.1", Verdict: verdict.Passed, Evidence: evidence})
	terminal.Ended(verdict.Result{ID: "1.2.3", Verdict: verdict.Failed, Evidence: evidence, Finding: finding.Failed("", "a wrong sum", "", "")})
	terminal.Ended(verdict.Result{ID: "1.2.4", Verdict: verdict.Passed})
	if got := strings.Count(out.String(), "(simulated)"); got != 2 {
		t.Errorf("%d of 2 items are marked:\n%s", got, out.String())
	}
	failed := Item{Result: verdict.Result{Verdict: verdict.Failed, Evidence: evidence, Finding: finding.Failed("", "a wrong sum", "", "")}}
	if text := failed.Explanation(); !strings.Contains(text, "simulated: no real GPU") {
		t.Errorf("the failure's text does not say so:\n%s", text)
	}
}
