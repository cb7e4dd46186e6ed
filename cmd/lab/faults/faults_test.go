package faults

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/policy"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

func TestTable(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	var seen []string
	for _, fault := range Table() {
		if !name.MatchString(fault.Name) || slices.Contains(seen, fault.Name) {
			t.Errorf("the name %q is wrong or taken", fault.Name)
		}
		seen = append(seen, fault.Name)
		found := len(fault.Failed) + len(fault.Undecided)
		if fault.Description == "" || (found == 0) != (len(fault.Words) == 0) || (found == 0) == (len(fault.Borne) == 0) {
			t.Errorf("%s does not say what it is, and either what must find it and in which words, or what must bear it", fault.Name)
		}
		if (fault.Break == nil) != (fault.Mend == nil) {
			t.Errorf("%s can be planted or mended, not both", fault.Name)
		}
	}
}

func newLab(t *testing.T) *Lab {
	t.Helper()
	lab := New(state.Dir(t.TempDir()))
	if err := lab.Dir.Make(); err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestBreakAndMend(t *testing.T) {
	lab := newLab(t)
	broken, mended := 0, []string{}
	fault := Fault{
		Name: "test",
		Break: func(_ context.Context, _ *Lab, keep func([]byte) error) error {
			broken++
			return keep([]byte("the original"))
		},
		Mend: func(_ context.Context, _ *Lab, kept []byte) error {
			mended = append(mended, string(kept))
			return nil
		},
	}
	for range 2 {
		if err := Break(t.Context(), lab, fault); err != nil {
			t.Fatal(err)
		}
	}
	if broken != 1 || !lab.Dir.FaultActive("test") {
		t.Errorf("broken %d times, active %t", broken, lab.Dir.FaultActive("test"))
	}
	for range 2 {
		if err := Mend(t.Context(), lab, fault); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(mended, []string{"the original"}) || lab.Dir.FaultActive("test") {
		t.Errorf("mended with %q, active %t", mended, lab.Dir.FaultActive("test"))
	}
}

// TestFaultsOfTheFullLab: a core lab has no ingress controller, and no answers about one.
func TestFaultsOfTheFullLab(t *testing.T) {
	for _, fault := range Table() {
		found := slices.Concat(fault.Failed, fault.Undecided)
		if about := slices.ContainsFunc(append([]string{"2.2.2"}, entranceItems...), func(item string) bool {
			return slices.Contains(found, item)
		}); about != fault.Full {
			t.Errorf("%s is found by items about the ingress controller %t, and needs the full lab %t", fault.Name, about, fault.Full)
		}
		if !fault.Full {
			continue
		}
		lab := newHub(t)
		before := files(t, lab)
		if err := Break(t.Context(), lab, fault); err == nil || !strings.Contains(err.Error(), "lab up --full") {
			t.Errorf("%s in a core lab: error %v", fault.Name, err)
		}
		if lab.Dir.FaultActive(fault.Name) || files(t, lab) != before {
			t.Errorf("%s has left something in a core lab", fault.Name)
		}
	}
}

// TestMendWithTheLabDown: there is no network to change, and nothing to wait for.
func TestMendWithTheLabDown(t *testing.T) {
	if network.Present() {
		t.Skip("a lab runs on this machine, and is to stay as it is")
	}
	lab := newHub(t)
	hub, err := pki.ReadHub(lab.Dir)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := json.Marshal(hub)
	if err != nil {
		t.Fatal(err)
	}
	before := files(t, lab)
	hub.Served.Certificate = inOrder(hub.Bundle, 0)
	if err := hub.Write(lab.Dir); err != nil {
		t.Fatal(err)
	}
	agent := topology.Nodes()[0].Name
	agents, err := json.Marshal(map[string][]string{policy.Agent(agent): {"nsenter", "--net=" + network.Namespace(agent), "true"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, kept := range map[string][]byte{"users-blocked": nil, "certificate-chain-incomplete": certificate, "policies-not-enforced": agents} {
		fault, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(lab.Dir.Fault(name), kept, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := Mend(ctx, lab, fault); err != nil || lab.Dir.FaultActive(name) {
			t.Errorf("%s: active %t, error %v", name, lab.Dir.FaultActive(name), err)
		}
		cancel()
	}
	if files(t, lab) != before {
		t.Error("the certificate is not what it was")
	}
}

func TestHalfABreakIsUndone(t *testing.T) {
	lab := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	undone := false
	fault := Fault{
		Name: "test",
		Break: func(context.Context, *Lab, func([]byte) error) error {
			cancel()
			return errors.New("half way")
		},
		Mend: func(ctx context.Context, _ *Lab, _ []byte) error {
			undone = true
			return ctx.Err()
		},
	}
	if err := Break(ctx, lab, fault); err == nil {
		t.Error("no error")
	}
	if !undone || lab.Dir.FaultActive("test") {
		t.Errorf("undone %t, active %t", undone, lab.Dir.FaultActive("test"))
	}
}

func TestAnswers(t *testing.T) {
	lab := newLab(t)
	original := "a: 1\nb: 2\n"
	if err := os.WriteFile(lab.Dir.Answers(), []byte(original), 0o644); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		content, err := os.ReadFile(lab.Dir.Answers())
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	// Two faults, mended in the order in which they were planted.
	steps := []struct {
		do   func() error
		want string
	}{
		{func() error { return answerInstead("a: 1", "a: 9")(t.Context(), lab, nil) }, "a: 9\nb: 2\n"},
		{func() error { return answerInstead("a: 1", "a: 9")(t.Context(), lab, nil) }, "a: 9\nb: 2\n"},
		{func() error { return answerInstead("b: 2", "b: 8")(t.Context(), lab, nil) }, "a: 9\nb: 8\n"},
		{func() error { return answerAgain("a: 1", "a: 9")(t.Context(), lab, nil) }, "a: 1\nb: 8\n"},
		{func() error { return answerAgain("b: 2", "b: 8")(t.Context(), lab, nil) }, original},
	}
	for i, step := range steps {
		if err := step.do(); err != nil || read() != step.want {
			t.Errorf("step %d: got %q, error %v", i, read(), err)
		}
	}
	if err := answerInstead("c: 3", "c: 4")(t.Context(), lab, nil); err == nil {
		t.Error("a line that is not there was replaced")
	}
}

func TestRightWithout(t *testing.T) {
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods", "nodes"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}},
		{APIGroups: []string{"apps"}, Resources: []string{"nodes"}, Verbs: []string{"list"}},
	}
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}},
		rules[2],
	}
	got, found := right{verb: "list", resource: "nodes"}.without(rules)
	if !found || !slices.EqualFunc(got, want, func(a, b rbacv1.PolicyRule) bool { return a.String() == b.String() }) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, found := (right{verb: "delete", resource: "nodes"}).without(rules); found {
		t.Error("found a right that nobody has")
	}
}
