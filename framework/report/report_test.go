package report

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/redact"
	"aiv.internal/conformance/framework/verdict"
)

func sampleDocument(t *testing.T) *Document {
	t.Helper()
	catalogue, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	started := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	results := []verdict.Result{
		{ID: "1.1.1", Verdict: verdict.Passed, Seconds: 0.25, File: "suites/access/connection.go",
			Evidence: []verdict.Evidence{{Key: "user", Value: "system:serviceaccount:jupyterhub-prod:conformance-runner"}}},
		{ID: "1.1.2", Verdict: verdict.Failed, Seconds: 0.1, File: "suites/access/cluster.go", Contact: "AIV Platform Team, platform@aiv.internal",
			Finding: finding.Failed("Kubernetes 1.35", "Kubernetes v1.36.1", "the cluster was upgraded", "correct cluster.version"), Log: "asked\x00 the server"},
		{ID: "1.1.4", Verdict: verdict.Undecided, Finding: finding.NotDecided("a cluster to measure", "connection refused", "", "see 1.1.1")},
		{ID: "1.2.1", Verdict: verdict.Unchecked, Reason: "no check yet"},
		{ID: "3.1.6", Verdict: verdict.Attested},
		{ID: "6.2.3", Verdict: verdict.Waived, Reason: "failed, waived until 2027-01-31 by Jane Doe: comes in January"},
		{ID: "cleanup", Verdict: verdict.Passed},
		{ID: "cleanup", Verdict: verdict.Failed, Finding: finding.Failed("", "a pod is left", "", "")},
	}
	return New(catalogue, Run{ID: "20261123-090000-abcdef", Version: "v1", Started: started, Seconds: 12.5, Answers: "answers.yaml", ExitCode: 1},
		Cluster{Server: "https://10.64.0.1:6443", Kubernetes: "v1.36.1", Namespace: "jupyterhub-prod"}, results, nil)
}

// parsed is a JUnit file as GitLab's parser sees it: bodies, not message attributes.
type parsed struct {
	Suites []struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Cases    []struct {
			Name      string  `xml:"name,attr"`
			ClassName string  `xml:"classname,attr"`
			File      string  `xml:"file,attr"`
			Failure   *string `xml:"failure"`
			Error     *string `xml:"error"`
			Skipped   *string `xml:"skipped"`
			Output    *string `xml:"system-out"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestJUnitSaysWhatGitLabReads(t *testing.T) {
	content, err := sampleDocument(t).JUnit()
	if err != nil {
		t.Fatal(err)
	}
	var p parsed
	if err := xml.Unmarshal(content, &p); err != nil {
		t.Fatalf("not well-formed: %v\n%s", err, content)
	}
	access := p.Suites[0]
	if access.Name != "1 Kubernetes Cluster Access" || access.Tests != 4 || access.Failures != 1 || access.Errors != 1 || access.Skipped != 1 {
		t.Errorf("suite %+v", access)
	}
	version := access.Cases[1]
	if version.Name != "1.1.2 Cluster version confirmed" || version.ClassName != "1.1 Cluster Information" || version.File != "suites/access/cluster.go" {
		t.Errorf("case %+v", version)
	}
	for _, want := range []string{"expected: Kubernetes 1.35", "found:    Kubernetes v1.36.1", "why:      the cluster was upgraded", "do:       correct cluster.version", "call:     AIV Platform Team"} {
		if !strings.Contains(*version.Failure, want) {
			t.Errorf("the failure's body lacks %q:\n%s", want, *version.Failure)
		}
	}
	if version.Output == nil || *version.Output != "asked the server" {
		t.Errorf("output %v: a rune that XML forbids must be dropped and the rest kept", version.Output)
	}
	if undecided := access.Cases[2]; undecided.Error == nil || undecided.Failure != nil {
		t.Errorf("an undecided item is an error: %+v", undecided)
	}
	if pending := access.Cases[3]; pending.Skipped == nil || !strings.Contains(*pending.Skipped, "no check yet") {
		t.Errorf("an item without a check is skipped, with the reason as body: %+v", pending)
	}
	last := p.Suites[len(p.Suites)-1]
	if last.Failures != 1 || last.Cases[0].Name != "Throwaway objects removed" {
		t.Errorf("the worse of two cleanup results counts: %+v", last)
	}
}

func TestJUnitOfARunThatBroke(t *testing.T) {
	d := sampleDocument(t)
	d.Problems = []string{"7 checks did not run"}
	content, err := d.JUnit()
	if err != nil {
		t.Fatal(err)
	}
	var p parsed
	if err := xml.Unmarshal(content, &p); err != nil {
		t.Fatal(err)
	}
	last := p.Suites[len(p.Suites)-1]
	if last.Errors != 1 || last.Cases[0].Error == nil || *last.Cases[0].Error != "7 checks did not run" {
		t.Errorf("a broken run owes one error case: %+v", last)
	}
}

func TestOverlongTextsKeepHeadAndTail(t *testing.T) {
	clipped := clip("head" + strings.Repeat("x", 2*caseLimit) + "tail")
	if len(clipped) > caseLimit+64 || !strings.HasPrefix(clipped, "head") || !strings.HasSuffix(clipped, "tail") || !strings.Contains(clipped, "bytes left out") {
		t.Errorf("%d bytes, begins %q, ends %q", len(clipped), clipped[:8], clipped[len(clipped)-8:])
	}
}

func TestAResultOfAnUnknownItemIsNotLost(t *testing.T) {
	catalogue, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	d := New(catalogue, Run{}, Cluster{}, []verdict.Result{{ID: "9.9.9", Verdict: verdict.Failed}}, nil)
	if len(d.Problems) != 1 || !strings.Contains(d.Problems[0], "9.9.9") {
		t.Errorf("problems %q", d.Problems)
	}
}

func TestFilesAreWholeAndReadable(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	if err := sampleDocument(t).Write(folder); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("the folder holds %v, want the two files and no temporary one", entries)
	}
	for _, entry := range entries {
		if info, _ := entry.Info(); info.Mode().Perm() != 0o644 {
			t.Errorf("%s has mode %v: GitLab's runner must read it", entry.Name(), info.Mode())
		}
	}
	read, err := Read(filepath.Join(folder, JSONFile))
	if err != nil {
		t.Fatal(err)
	}
	if read.Run.ID != "20261123-090000-abcdef" || len(read.Items) != 7 || read.Items[1].Finding.Found != "Kubernetes v1.36.1" {
		t.Errorf("read back as %+v", read)
	}
	if err := os.WriteFile(filepath.Join(folder, "other.json"), []byte(`{"schema": "another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(filepath.Join(folder, "other.json")); err == nil {
		t.Error("a file of another schema was taken for a report")
	}
}

func TestRedactReachesEveryText(t *testing.T) {
	const secret = "hunter2-and-more"
	f := finding.Finding{Expected: secret, Found: secret, Why: secret, Do: secret}
	results := []verdict.Result{{ID: "5.1.3", Verdict: verdict.Failed, Finding: &f, Warnings: []finding.Finding{f}, Reason: secret, Log: secret,
		Evidence: []verdict.Evidence{{Key: "a", Value: secret}, {Key: "b", Value: []any{secret}}, {Key: "c", Value: map[string]any{"d": secret}}}}}
	redactor := redact.New()
	redactor.Add(secret)
	Redact(results, redactor)
	content, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(content), secret) || strings.Count(string(content), "[redacted]") != 13 {
		t.Errorf("%s", content)
	}
}
