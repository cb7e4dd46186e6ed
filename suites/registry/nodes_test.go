package registry

import (
	"errors"
	"testing"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

func TestJudgePods(t *testing.T) {
	ran := podEnd{report: throwaway.Report{Node: "node1"}}
	quota := podEnd{err: finding.Failed("create pod", "exceeded quota", "full", "raise it")}
	for _, c := range []struct {
		name string
		err  error
		// want is "" for met, or whether it is undecided.
		want string
	}{
		{"pulled with the secret", (&nodePulls{with: ran}).judgeWith("it pulls"), ""},
		{"program does not run", (&nodePulls{with: podEnd{report: throwaway.Report{ExitCode: 1}}}).judgeWith("it pulls"), "undecided"},
		{"no pod", (&nodePulls{with: quota}).judgeWith("it pulls"), "undecided"},
		{"odd", (&nodePulls{with: podEnd{err: errors.New("odd")}}).judgeWith("it pulls"), "undecided"},
		{"pulled without a secret", (&nodePulls{without: ran}).judgeWithout(), "failed"},
		{"no pod without a secret", (&nodePulls{without: quota}).judgeWithout(), "undecided"},
	} {
		got := ""
		if f := finding.As(c.err); f != nil {
			got = map[bool]string{true: "undecided", false: "failed"}[f.Undecided]
		}
		if got != c.want {
			t.Errorf("%s: %q, %v", c.name, got, c.err)
		}
	}
	if quota.err.(*finding.Finding).Undecided {
		t.Error("the original finding was changed")
	}
}
