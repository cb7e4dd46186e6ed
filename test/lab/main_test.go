//go:build lab

// Package lab holds the tests that run the shipped binary against the real cluster of the
// lab: the healthy lab is silent, each planted fault is found by the items that it is
// declared for and by no others, and nothing is left behind.
package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"

	"aiv.internal/conformance/framework/report"
	"aiv.internal/conformance/test/cluster"
)

const (
	namespace = "jupyterhub-prod"
	// runTimeout bounds one run of the suite.
	runTimeout = 5 * time.Minute
	// keepVariable, if set, leaves the lab up after the tests.
	keepVariable = "LAB_KEEP"
)

var (
	lab        = cluster.NewLab()
	runnerPath string
	admin      kubernetes.Interface
	// objects reads the metadata of objects of any kind, as the administrator.
	objects metadata.Interface
)

func TestMain(m *testing.M) {
	environment := env.NewWithConfig(envconf.New())
	environment.Setup(buildRunner, envfuncs.CreateCluster(lab, "lab"), connectAdmin)
	if os.Getenv(keepVariable) == "" {
		environment.Finish(envfuncs.DestroyCluster("lab"))
	}
	os.Exit(environment.Run(m))
}

func buildRunner(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	root, err := cluster.Root()
	if err != nil {
		return ctx, err
	}
	runnerPath = filepath.Join(root, "bin", "runner")
	build := exec.CommandContext(ctx, "make", "-s", "build")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return ctx, fmt.Errorf("build the runner: %w\n%s", err, output)
	}
	return ctx, nil
}

func connectAdmin(ctx context.Context, config *envconf.Config) (context.Context, error) {
	client, err := kubernetes.NewForConfig(config.Client().RESTConfig())
	if err != nil {
		return ctx, err
	}
	admin = client
	// Some sixty lists at a time, of deprecated kinds too.
	quick := rest.CopyConfig(config.Client().RESTConfig())
	quick.QPS, quick.WarningHandler = -1, rest.NoWarnings{}
	objects, err = metadata.NewForConfig(quick)
	return ctx, err
}

// outcome is one run of the runner.
type outcome struct {
	code   int
	folder string
	report report.Document
	items  map[string]report.Item
}

// run runs the runner against the lab and reads its report, if it wrote one.
func run(t *testing.T, args ...string) outcome {
	t.Helper()
	command, o := prepare(t, args...)
	o.finish(t, command.Run())
	return *o
}

// prepare makes the command without starting it.
func prepare(t *testing.T, args ...string) (*exec.Cmd, *outcome) {
	t.Helper()
	o := &outcome{folder: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, runnerPath, append([]string{
		"--answers", lab.State("answers.yaml"), "--kubeconfig", lab.State("kubeconfig"), "--output-dir", o.folder}, args...)...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the run printed, but for what is as it must be:\n%s", interesting(output.String()))
		}
	})
	return command, o
}

// interesting drops the lines of items that need nobody's eye: most of two hundred.
func interesting(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		quiet := slices.ContainsFunc([]string{"PASS", "ATTESTED", "NO CHECK YET", "N/A"}, func(word string) bool {
			return strings.Contains(line, " "+word+" ")
		})
		if !quiet {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// finish reads what a run that ended with err left.
func (o *outcome) finish(t *testing.T, err error) {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		o.code = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("start the runner: %v", err)
	}
	content, err := os.ReadFile(filepath.Join(o.folder, report.JSONFile))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &o.report); err != nil {
		t.Fatal(err)
	}
	o.items = map[string]report.Item{}
	for _, item := range o.report.Items {
		o.items[item.ID] = item
	}
}
