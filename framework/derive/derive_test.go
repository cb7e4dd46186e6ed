package derive

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/verdict"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func date(text string) answers.Date {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return answers.Date{Time: day}
}

func everything(t *testing.T) (*checklist.Catalogue, map[string]bool) {
	t.Helper()
	catalogue, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	all, err := catalogue.Select(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return catalogue, all
}

// measuredAll gives every item that has a check the same verdict.
func measuredAll(catalogue *checklist.Catalogue, v verdict.Verdict) map[string]verdict.Result {
	results := map[string]verdict.Result{}
	for _, item := range catalogue.Items() {
		if item.Kind == checklist.Probe || item.Kind == checklist.Attest {
			results[item.ID] = verdict.Result{ID: item.ID, Verdict: v}
		}
	}
	return results
}

func complete(o Options, results map[string]verdict.Result) map[string]verdict.Result {
	var list []verdict.Result
	for _, item := range o.Catalogue.Items() {
		if r, present := results[item.ID]; present {
			list = append(list, r)
		}
	}
	settled, computed := o.Complete(list)
	out := map[string]verdict.Result{}
	for _, r := range append(settled, computed...) {
		out[r.ID] = r
	}
	return out
}

// filled is an answers file in which every contact is named.
func filled(t *testing.T) *answers.File {
	t.Helper()
	file, err := answers.Load("../../testdata/answers.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file.Waivers = nil
	for _, named := range file.Contacts() {
		if named.Contact.Name == "" || !named.Contact.Reachable() {
			t.Fatalf("the example leaves %s out", named.Path)
		}
	}
	for _, named := range file.Secrets() {
		switch {
		case named.Secret.Env != "":
			t.Setenv(named.Secret.Env, "a value")
		case named.Secret.File != "":
			t.Fatalf("the example refers to a file at %s: this test cannot make it", named.Path)
		}
	}
	return file
}

func TestReadyOnlyWhenAllIsMet(t *testing.T) {
	catalogue, selected := everything(t)
	o := Options{Catalogue: catalogue, Answers: filled(t), Selected: selected, Now: now}
	if got := complete(o, measuredAll(catalogue, verdict.Passed))["S.5"]; got.Verdict != verdict.Passed {
		t.Fatalf("all passed, but S.5 is %s: %+v", got.Verdict, got)
	}
	for _, v := range []verdict.Verdict{verdict.Failed, verdict.Undecided, verdict.NotAnswered, verdict.Unchecked} {
		results := measuredAll(catalogue, verdict.Passed)
		results["6.1.3"] = verdict.Result{ID: "6.1.3", Verdict: v, Finding: &finding.Finding{Found: "x"}}
		got := complete(o, results)
		for _, id := range []string{"S.5", "S.1", "15.2.1"} {
			if got[id].Verdict != v || !strings.Contains(got[id].Reason+text(got[id]), "6.1.3") {
				t.Errorf("6.1.3 is %s, %s is %s: %q %q", v, id, got[id].Verdict, got[id].Reason, text(got[id]))
			}
		}
		if got["15.2.4"].Verdict != verdict.Passed {
			t.Errorf("15.2.4 does not follow from 6.1.3, but is %s", got["15.2.4"].Verdict)
		}
	}
}

func text(r verdict.Result) string {
	if r.Finding == nil {
		return ""
	}
	return r.Finding.Error()
}

func TestAHeadingIsTheWorstBelowIt(t *testing.T) {
	catalogue, selected := everything(t)
	results := measuredAll(catalogue, verdict.Passed)
	results["1.1.5.3"] = verdict.Result{ID: "1.1.5.3", Verdict: verdict.Failed, Finding: &finding.Finding{Found: "x"}}
	got := complete(Options{Catalogue: catalogue, Answers: &answers.File{}, Selected: selected, Now: now}, results)["1.1.5"]
	if got.Verdict != verdict.Failed || !strings.Contains(text(got), "1.1.5.3") {
		t.Errorf("%+v", got)
	}
}

func TestWhatWasNotRunIsNotMet(t *testing.T) {
	catalogue, _ := everything(t)
	o := Options{Catalogue: catalogue, Answers: &answers.File{}, Selected: map[string]bool{"15.2.5": true}, Now: now}
	if got := complete(o, nil)["15.2.5"]; got.Verdict != verdict.Undecided || !strings.Contains(text(got), "6.3.1") {
		t.Errorf("%+v", got)
	}
}

func TestWaivers(t *testing.T) {
	catalogue, selected := everything(t)
	waiver := answers.Waiver{ID: "6.1.3", Reason: "storage moves in January", ApprovedBy: "Jane Doe", Expires: date("2026-11-23")}
	failed := verdict.Result{ID: "6.1.3", Verdict: verdict.Failed, Finding: &finding.Finding{Found: "two defaults"}}
	run := func(expires string, r verdict.Result) verdict.Result {
		w := waiver
		w.Expires = date(expires)
		o := Options{Catalogue: catalogue, Answers: &answers.File{Waivers: []answers.Waiver{w}}, Selected: selected, Now: now}
		return complete(o, map[string]verdict.Result{r.ID: r})[r.ID]
	}
	if got := run("2026-11-23", failed); got.Verdict != verdict.Waived || !strings.Contains(got.Reason, "Jane Doe") || got.Finding == nil {
		t.Errorf("on its last day a waiver counts, and the finding stays: %+v", got)
	}
	if got := run("2026-11-22", failed); got.Verdict != verdict.Failed || len(got.Warnings) != 1 {
		t.Errorf("an expired waiver counts no more, and is named: %+v", got)
	}
	if got := run("2026-12-31", verdict.Result{ID: "6.1.3", Verdict: verdict.Passed}); got.Verdict != verdict.Passed {
		t.Errorf("a waiver makes nothing worse: %+v", got)
	}
	if got := run("2026-12-31", verdict.Result{ID: "6.1.3", Verdict: verdict.Unchecked}); got.Verdict != verdict.Unchecked {
		t.Errorf("what has no check cannot be waived: %+v", got)
	}
}

func TestStrictTakesAMissingAnswerForAFailure(t *testing.T) {
	catalogue, selected := everything(t)
	o := Options{Catalogue: catalogue, Answers: &answers.File{}, Selected: selected, Strict: true, Now: now}
	got := complete(o, map[string]verdict.Result{"6.1.1": {ID: "6.1.1", Verdict: verdict.NotAnswered, Reason: "set storageClass.name"}})["6.1.1"]
	if got.Verdict != verdict.Failed || !strings.Contains(text(got), "storageClass.name") {
		t.Errorf("%+v", got)
	}
}

func TestContactsAndCredentials(t *testing.T) {
	catalogue, selected := everything(t)
	file := filled(t)
	o := Options{Catalogue: catalogue, Answers: file, Selected: selected, Now: now}
	file.Cluster.Contact = answers.Contact{Name: "somebody"}
	if got := complete(o, nil)["S.2"]; got.Verdict != verdict.NotAnswered || !strings.Contains(got.Reason, "cluster.contact") {
		t.Errorf("a contact that cannot be reached: %+v", got)
	}
	secret := filepath.Join(t.TempDir(), "password")
	file.Registry.Password = answers.Secret{File: secret}
	if got := complete(o, nil)["S.3"]; got.Verdict != verdict.Undecided || !strings.Contains(text(got), "registry.password") {
		t.Errorf("a reference to nothing: %+v", got)
	}
	if err := os.WriteFile(secret, []byte("a value"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if got := complete(o, nil)["S.3"]; got.Verdict != verdict.Failed || !strings.Contains(text(got), "0644") {
		t.Errorf("a file that everybody can read: %+v", got)
	}
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := complete(o, nil)["S.3"]; got.Verdict != verdict.Passed {
		t.Errorf("%+v", got)
	}
}
