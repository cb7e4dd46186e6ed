package network

import (
	"context"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// verdictOf is "passed", "failed" or "undecided", and the message.
func verdictOf(err error) (string, string) {
	f := finding.As(err)
	switch {
	case err == nil:
		return "passed", ""
	case f == nil:
		return "error", err.Error()
	case f.Undecided:
		return "undecided", f.Error()
	}
	return "failed", f.Error()
}

func expectVerdict(t *testing.T, err error, want, words string) {
	t.Helper()
	if got, text := verdictOf(err); got != want || !strings.Contains(text, words) {
		t.Errorf("%s, want %s with %q:\n%s", got, want, words, text)
	}
}

// noRoom keeps a proof from being made.
var noRoom = finding.Failed("create a pod", "exceeded quota", "no room", "raise it")

func TestJudgeIsolation(t *testing.T) {
	const took = time.Second
	story := &probe.ReachResult{Targets: []probe.Reached{{Phases: []probe.Phase{{Tries: 3}, {Trouble: &probe.Trouble{Kind: probe.Timeout}}, {Trouble: &probe.Trouble{Kind: probe.Refused}}}}}}
	for _, test := range []struct {
		name        string
		i           isolation
		want, words string
	}{
		{"enforced", isolation{reached: true, denied: took, allowed: took}, "passed", ""},
		{"the namespace denies by itself", isolation{closed: true, denied: took, allowed: took}, "passed", ""},
		{"pods do not reach each other", isolation{story: story}, "failed", "timeout, connection refused"},
		{"not enforced", isolation{reached: true}, "failed", "accepted but not enforced"},
		{"not for long", isolation{reached: true, denied: took, leaked: true}, "failed", "less than 3s"},
		{"not opened again", isolation{reached: true, denied: took}, "failed", "stays so"},
		{"named ports", isolation{reached: true, denied: took, allowed: took, byNumber: true}, "failed", "by its name"},
		{"no room for a pod", isolation{err: noRoom}, "undecided", "quota"},
		{"no right", isolation{err: finding.NotDecided("", "networkpolicies create", "", "")}, "undecided", "networkpolicies"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.i.from, test.i.to = "n1", "n2"
			expectVerdict(t, test.i.judge(), test.want, test.words)
		})
	}
	expectVerdict(t, isolation{reached: true}.judgeOpen(), "passed", "")
	expectVerdict(t, isolation{err: noRoom}.judgeOpen(), "undecided", "quota")
	expectVerdict(t, isolation{story: story}.judgeOpen(), "failed", "timeout")
}

func TestJudgeException(t *testing.T) {
	const took = time.Second
	for _, test := range []struct {
		name        string
		e           exception
		want, words string
	}{
		{"works", exception{before: true, stopped: true, opened: took}, "passed", ""},
		{"the namespace denies by itself", exception{stopped: true, opened: took}, "passed", ""},
		{"not enforced", exception{before: true}, "undecided", "2.3.1"},
		{"on another port", exception{before: true, stopped: true, opened: took, wider: true}, "failed", "5353"},
		{"dropped", exception{before: true, stopped: true}, "failed", "UDP port 53"},
		{"no DNS at all", exception{stopped: true}, "undecided", "2.1.3"},
		{"no room for a pod", exception{err: noRoom}, "undecided", "quota"},
		{"no right", exception{err: finding.NotDecided("", "networkpolicies create", "", "")}, "undecided", "networkpolicies"},
	} {
		t.Run(test.name, func(t *testing.T) { expectVerdict(t, test.e.judge(), test.want, test.words) })
	}
}

func TestJudgeSources(t *testing.T) {
	blocked := probe.Phase{Trouble: &probe.Trouble{Kind: probe.Timeout, Message: "i/o timeout"}, Tries: 5, From: 0, To: 8000}
	refused := probe.Phase{Trouble: &probe.Trouble{Kind: probe.Refused, Message: "connection refused"}, Tries: 5, From: 0, To: 8000}
	early := probe.Phase{Tries: 2, From: 0, To: 600}
	brief := probe.Phase{Trouble: blocked.Trouble, Tries: 2, From: 0, To: 3250}
	reached := probe.Phase{Tries: 9, From: 0, To: 8000}
	hub := answers.NetworkPolicies{}.Hub()
	for _, test := range []struct {
		name        string
		allowed     bool
		phases      []probe.Phase
		selecting   []string
		want, words string
	}{
		{"allowed reaches", true, []probe.Phase{reached}, []string{"hub"}, "passed", ""},
		{"allowed was not known at first", true, []probe.Phase{{Trouble: blocked.Trouble, Tries: 1, To: 1500}, {Tries: 9, From: 1600, To: 4100}}, []string{"hub"}, "passed", ""},
		{"allowed reaches, but is still new", true, []probe.Phase{early}, []string{"hub"}, "undecided", "600 ms"},
		{"allowed is dropped, but is still new", true, []probe.Phase{brief}, []string{"hub"}, "undecided", "stopped early"},
		{"allowed is dropped", true, []probe.Phase{blocked}, []string{"hub"}, "failed", "policies that select the hub (hub)"},
		{"allowed is refused", true, []probe.Phase{refused}, []string{"hub"}, "failed", "instead of dropping"},
		{"allowed is dropped without a policy", true, []probe.Phase{blocked}, []string{}, "failed", "no NetworkPolicy of the namespace selects the hub"},
		{"allowed is dropped, and policies may not be listed", true, []probe.Phase{blocked}, nil, "failed", "may not list"},
		{"forbidden is dropped", false, []probe.Phase{blocked}, []string{"hub"}, "passed", ""},
		{"forbidden is refused", false, []probe.Phase{refused}, []string{"hub"}, "passed", ""},
		{"forbidden before the network knew it", false, []probe.Phase{early, blocked}, []string{"hub"}, "passed", ""},
		{"forbidden reaches, but is still new", false, []probe.Phase{early}, []string{"hub"}, "undecided", "600 ms"},
		{"forbidden is dropped, but is still new", false, []probe.Phase{brief}, []string{"hub"}, "undecided", "stopped early"},
		{"forbidden reaches", false, []probe.Phase{reached}, []string{"hub"}, "failed", "see item 2.3.1"},
		{"forbidden reaches for a while", false, []probe.Phase{blocked, {Tries: 1, From: 8100, To: 8200}, blocked}, []string{"hub"}, "failed", "is reached"},
		{"forbidden reaches, and nothing selects the hub", false, []probe.Phase{reached}, []string{}, "failed", "component=hub"},
		{"nothing was tried", false, nil, nil, "undecided", "no connection"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &source{labels: map[string]string{"app": "x"}, port: hubPort, allowed: test.allowed, story: &probe.Reached{Phases: test.phases}}
			expectVerdict(t, judgeSources([]*source{s}, hub, test.selecting), test.want, test.words)
		})
	}
}

// An open way is worse than one that could not be looked at, whatever comes first.
func TestOpenComesFirst(t *testing.T) {
	unknown := &source{port: hubPort, err: finding.NotDecided("", "no pod", "", "")}
	open := &source{port: hubPort, story: &probe.Reached{Phases: []probe.Phase{{Tries: 9, To: 8000}}}}
	expectVerdict(t, judgeSources([]*source{unknown, open}, nil, nil), "failed", "reached")
	expectVerdict(t, judgeSources([]*source{unknown}, nil, nil), "undecided", "no pod")
	expectVerdict(t, judgeSources([]*source{{port: hubPort, err: noRoom}}, nil, nil), "undecided", "quota")
}

func TestSources(t *testing.T) {
	port := 9000
	all := sourcesOf(answers.Inward{
		Allowed:   []answers.Source{{Labels: map[string]string{"a": "1"}}},
		Forbidden: []answers.Source{{Labels: map[string]string{"b": "2"}, Port: &port}},
	})
	if len(all) != 2 || all[0].allowed || all[0].port != 9000 || !all[1].allowed || all[1].port != hubPort {
		t.Fatalf("%+v", all)
	}
	if doubles(all, true, true) != all[0] || doubles(all, false, true) != nil || doubles(all, true, false) != nil || doubles(all[1:], true, true) != nil {
		t.Error("the client stands for the first forbidden source only, and only where policies are required")
	}
	ports := portsOf(all)
	if len(ports) != 2 || ports[0].Name != hubPortName || ports[0].ContainerPort != hubPort || ports[1].Name != "" {
		t.Errorf("%+v", ports)
	}
	if ports := portsOf(all[:1]); len(ports) != 1 || ports[0].Name != hubPortName {
		t.Errorf("%+v", ports)
	}
}

// What is closed only for a moment was a packet that got lost.
func TestStaysSo(t *testing.T) {
	comes := func(context.Context) error { return nil }
	gone := func(context.Context) error { return noRoom }
	if stays, err := staysSo(t.Context(), comes, comes); stays || err != nil {
		t.Errorf("it turned back: %t, %v", stays, err)
	}
	for _, waits := range [][2]func(context.Context) error{{gone, comes}, {comes, gone}} {
		if stays, err := staysSo(t.Context(), waits[0], waits[1]); stays || err == nil {
			t.Errorf("the pod is gone: %t, %v", stays, err)
		}
	}
}

func TestJudgeNoSources(t *testing.T) {
	yes, no := true, false
	expectVerdict(t, judgeNoSources(&yes), "undecided", "neither an allowed nor a forbidden")
	expectVerdict(t, judgeNoSources(nil), "undecided", "no connection")
	expectVerdict(t, judgeNoSources(&no), "passed", "")
}
