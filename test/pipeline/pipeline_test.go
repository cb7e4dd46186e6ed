//go:build lab

// Package pipeline holds the tests of the GitLab pipeline and of the CI/CD component:
// gitlab-ci-local parses both, checks them against GitLab's own schema, and runs their jobs
// on this machine against the lab.
package pipeline

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/test/cluster"
)

const (
	gitLabHost = "gitlab.aiv.internal"
	// labTimeout bounds bringing the lab up, the first build included.
	labTimeout = 30 * time.Minute
)

var (
	root string
	tool = os.Getenv("GITLAB_CI_LOCAL")
	lab  = cluster.NewLab()
)

func TestMain(m *testing.M) { os.Exit(withLab(m)) }

func withLab(m *testing.M) int {
	var err error
	if root, err = cluster.Root(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if tool == "" {
		fmt.Fprintln(os.Stderr, "GITLAB_CI_LOCAL must be the path of gitlab-ci-local; `make test-lab` installs it and sets this")
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	if _, err := lab.SetDefaults().Create(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if os.Getenv("LAB_KEEP") == "" {
		if err := lab.Destroy(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func TestStagesOfTheOwnPipeline(t *testing.T) {
	files := repository(t)
	always := map[string]string{"build": "build", "unit": "test", "lint": "test", "make-image": "image"}
	for name, test := range map[string]struct {
		variables []string
		more      map[string]string
	}{
		"without variables":          {nil, nil},
		"with a cluster":             {[]string{"KUBE_CONFIG=e30="}, map[string]string{"conformance": "conformance"}},
		"with a machine for the lab": {[]string{"LAB_RUNNER_TAG=root"}, map[string]string{"lab": "test"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := maps.Clone(always)
			maps.Copy(want, test.more)
			got := map[string]string{}
			for name, job := range newProject(t, "ml-platform/conformance", files).with(test.variables...).jobs(t) {
				got[name] = job.Stage
			}
			if !maps.Equal(got, want) {
				t.Errorf("jobs and stages are %v, want %v", got, want)
			}
		})
	}
}

// TestWhatGitLabNeedsOfTheJob holds what makes the report arrive: GitLab reads it also from
// failed and cancelled jobs, keeps two runs apart, and cleans up after both.
func TestWhatGitLabNeedsOfTheJob(t *testing.T) {
	job, found := newProject(t, "ml-platform/conformance", repository(t)).expanded(t)["conformance"].(map[string]any)
	if !found {
		t.Fatal("the pipeline has no job named conformance")
	}
	for path, want := range map[string]any{
		"artifacts.when":           "always",
		"artifacts.reports.junit":  "conformance-report/junit.xml",
		"artifacts.paths":          []any{"conformance-report/"},
		"allow_failure.exit_codes": []any{float64(4)},
		"interruptible":            false,
		"resource_group":           "conformance",
		"after_script":             []any{`runner cleanup --answers="$CONFORMANCE_ANSWERS"`},
	} {
		if got := at(job, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	for _, path := range []string{"artifacts.expire_in", "timeout", "image.name"} {
		if at(job, path) == nil {
			t.Errorf("%s is not set", path)
		}
	}
}

func at(tree map[string]any, path string) any {
	first, rest, deeper := strings.Cut(path, ".")
	if below, isMap := tree[first].(map[string]any); deeper && isMap {
		return at(below, rest)
	}
	return tree[first]
}

// consumer is another project, which includes the component by its address, as released.
func consumer(t *testing.T, inputs string) *project {
	t.Helper()
	template, err := os.ReadFile(filepath.Join(root, "templates", "conformance.yml"))
	if err != nil {
		t.Fatal(err)
	}
	answers, err := os.ReadFile(lab.State("answers.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := os.ReadFile(lab.State("kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	return newProject(t, "ml-platform/jupyterhub", map[string][]byte{
		".gitlab-ci.yml": []byte("include:\n  - component: $CI_SERVER_FQDN/ml-platform/conformance/conformance@1.0.0\n    inputs:\n" +
			"      image: registry.aiv.internal:5000/ml-platform/conformance:lab\n" + indent(inputs)),
		"answers.yaml": answers,
		// Where gitlab-ci-local keeps what it has fetched from a GitLab server.
		".gitlab-ci-local/includes/" + gitLabHost + "/ml-platform/conformance/1.0.0/templates/conformance.yml": template,
	}).with("KUBE_CONFIG=" + base64.StdEncoding.EncodeToString(kubeconfig))
}

func indent(inputs string) string {
	var lines strings.Builder
	for line := range strings.Lines(inputs) {
		lines.WriteString("      " + strings.TrimSpace(line) + "\n")
	}
	return lines.String()
}

func TestComponentRefusesWrongInputs(t *testing.T) {
	for _, inputs := range []string{"strict: sometimes", "focus: [gpu]"} {
		stdout, stderr, code := consumer(t, inputs).gitLabCI(t, "--preview")
		if code == 0 || !strings.Contains(stdout+stderr, "provided value is not a") {
			t.Errorf("%q: exit code %d:\n%s%s", inputs, code, stdout, stderr)
		}
	}
}

func TestComponentChecksTheLab(t *testing.T) {
	p := consumer(t, "focus: '1.1.2,pull secret'\njob-name: check-cluster\nstage: deploy\noutput-dir: out/report\nstrict: true")
	output, _ := p.run(t, "check-cluster")
	if !strings.Contains(output, " PASS ") {
		t.Errorf("the job did not pass:\n%s", output)
	}
	suites := cases(t, p.artifact(t, "check-cluster", "out/report/junit.xml"))
	for _, want := range []string{"1.1.2", "5.1.6"} {
		if !slices.ContainsFunc(suites, func(name string) bool { return strings.HasPrefix(name, want+" ") }) {
			t.Errorf("no case for %s in %v", want, suites)
		}
	}
	if slices.ContainsFunc(suites, func(name string) bool { return strings.HasPrefix(name, "6.") }) {
		t.Errorf("focus was not passed on: %v", suites)
	}
	// What it removes, another run may have left.
	if !strings.Contains(output, "nothing to remove in namespace jupyterhub-prod") && !strings.Contains(output, "> removed ") {
		t.Errorf("the cleanup did not run after the job:\n%s", output)
	}
}

func TestFailedJobHandsInItsReport(t *testing.T) {
	p := consumer(t, "focus: '1.1.2'").withWrongVersion(t)
	// The tool's own exit code is 0 for every job that has allow_failure.
	if output, _ := p.run(t, "conformance"); !strings.Contains(output, "FAIL 1") {
		t.Errorf("the job did not fail with exit code 1:\n%s", output)
	}
	report := string(p.artifact(t, "conformance", "conformance-report/junit.xml"))
	if !strings.Contains(report, "<failure") || !strings.Contains(report, "1.35") {
		t.Errorf("the report does not say what failed:\n%s", report)
	}
}

func TestWaiverWarnsAndDoesNotFailThePipeline(t *testing.T) {
	waiver := "\nwaivers: [{id: 1.1.2, reason: a test, approvedBy: Lab (simulated), expires: " +
		time.Now().AddDate(0, 0, 7).Format(time.DateOnly) + "}]\n"
	p := consumer(t, "focus: '1.1.2'").withWrongVersion(t, waiver)
	if output, _ := p.run(t, "conformance"); !strings.Contains(output, "WARN 4") {
		t.Errorf("the job did not warn with exit code 4:\n%s", output)
	}
}

// withWrongVersion answers a version that the lab does not have, and appends more answers.
func (p *project) withWrongVersion(t *testing.T, more ...string) *project {
	t.Helper()
	answers := filepath.Join(p.folder, "answers.yaml")
	content, err := os.ReadFile(answers)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(content), `version: "1.36`, `version: "1.35`, 1)
	if wrong == string(content) {
		t.Fatal("the lab's answers do not say the version as this test expects")
	}
	if err := os.WriteFile(answers, []byte(wrong+strings.Join(more, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWholePipeline builds the runner, pushes its image to the lab's registry and checks the
// lab. Unit tests and lint are left out: whoever runs this test runs them as well.
func TestWholePipeline(t *testing.T) {
	kubeconfig, err := os.ReadFile(lab.State("kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	password, err := os.ReadFile(lab.State("secrets", "registry-password"))
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, "ml-platform/conformance", repository(t)).with(
		"CI_REGISTRY=registry.aiv.internal:5000",
		"CI_REGISTRY_USER=jupyterhub",
		"CI_REGISTRY_PASSWORD="+strings.TrimSpace(string(password)),
		"KUBE_CONFIG="+base64.StdEncoding.EncodeToString(kubeconfig),
		"CONFORMANCE_ANSWERS_FILE="+lab.State("answers.yaml"),
		"REGISTRY_CA_FILE="+lab.State("pki", "ca.crt"),
		// What is downloaded and compiled already.
		"GOMODCACHE="+goEnv(t, "GOMODCACHE"),
		"GOCACHE="+goEnv(t, "GOCACHE"),
	)
	output, code := p.run(t, "build", "make-image", "conformance")
	if code != 0 || strings.Contains(output, " FAIL ") {
		t.Errorf("exit code %d:\n%s", code, output)
	}
	p.artifact(t, "build", "bin/runner")
	if n := len(cases(t, p.artifact(t, "conformance", "conformance-report/junit.xml"))); n < 150 {
		t.Errorf("the report has %d cases, want one for each item that is no option", n)
	}
}

// cases returns the names of all cases of a JUnit file.
func cases(t *testing.T, junit []byte) []string {
	t.Helper()
	var document struct {
		Suites []struct {
			Cases []struct {
				Name string `xml:"name,attr"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(junit, &document); err != nil {
		t.Fatalf("%v in:\n%s", err, junit)
	}
	var names []string
	for _, suite := range document.Suites {
		for _, c := range suite.Cases {
			names = append(names, c.Name)
		}
	}
	return names
}
