package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/derive"
	"aiv.internal/conformance/framework/launch"
	"aiv.internal/conformance/framework/redact"
	"aiv.internal/conformance/framework/report"
	"aiv.internal/conformance/framework/verdict"
)

// runOptions are the flags of "run".
type runOptions struct {
	target
	focus, skip []string
	outputDir   string
	image       string
	imageHost   string
	parallel    int
	timeout     time.Duration
	strict      bool
	readOnly    bool
	keep        bool
	noColor     bool
	verbose     bool
}

func newRunCommand() *cobra.Command {
	o := &runOptions{}
	command := &cobra.Command{
		Use:   "run",
		Short: "Run the checks (the default)",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return o.run(command.Context()) },
	}
	o.target.bind(command)
	flags := command.Flags()
	flags.StringSliceVar(&o.focus, "focus", nil, "only these: topics (gpu), sections (6, 6.1), IDs (6.1.4.1), or a regular expression over titles")
	flags.StringSliceVar(&o.skip, "skip", nil, "all but these; as --focus")
	flags.StringVar(&o.outputDir, "output-dir", "conformance-report", "`folder` for "+report.JUnitFile+" and "+report.JSONFile)
	flags.StringVar(&o.image, "image", "", "`image` that holds the probe (default: runner.image of the answers file)")
	flags.StringVar(&o.imageHost, "image-registry", "", "`host` to pull that image from in place of its own registry, for a mirror")
	flags.IntVar(&o.parallel, "parallel", 12, "how many checks run at the same time")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Minute, "end the run after this long")
	flags.BoolVar(&o.strict, "strict", false, "take a missing answer for a failure")
	flags.BoolVar(&o.readOnly, "read-only", false, "create nothing in the cluster; what needs that is left undecided")
	flags.BoolVar(&o.keep, "keep", false, "leave throwaway objects behind for a look (remove them with: runner cleanup)")
	flags.BoolVar(&o.noColor, "no-color", false, "no colours")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "show what the workers themselves print")
	return command
}

func (o *runOptions) run(ctx context.Context) error {
	if o.parallel < 1 || o.timeout <= 0 {
		return fmt.Errorf("--parallel and --timeout must be more than nothing, not %d and %s", o.parallel, o.timeout)
	}
	catalogue, file, err := o.load()
	if err != nil {
		return errors.Join(o.mistypedFocus(), err)
	}
	selected, err := catalogue.Select(o.focus, o.skip)
	if err != nil {
		return err
	}
	if len(selected) == 0 {
		return fmt.Errorf("--focus=%s with --skip=%s leaves nothing to check", strings.Join(o.focus, ","), strings.Join(o.skip, ","))
	}
	image, err := mirrored(orElse(o.image, file.Runner.Image), o.imageHost)
	if err != nil {
		return err
	}
	outputDir, err := writableFolder(o.outputDir)
	if err != nil {
		return err
	}
	wanted := measured(catalogue, selected)
	kubeconfig, forget, err := o.kubeconfigFile()
	if err != nil {
		return err
	}
	defer forget()
	plan := plan{catalogue: catalogue, file: file, wanted: wanted, outputDir: outputDir, config: check.Config{
		RunID:      newRunID(),
		Version:    version,
		Answers:    o.answers,
		Kubeconfig: kubeconfig,
		Context:    o.contextName(),
		Namespace:  o.namespaceName(file),
		Image:      image,
		Selected:   selected,
		ReadOnly:   o.readOnly,
		Keep:       o.keep,
		Workers:    max(1, min(o.parallel, len(wanted))),
		Timeout:    o.timeout,
	}}
	return o.execute(ctx, plan)
}

// plan is a run whose command line and answers are in order: from here on, whatever happens
// ends in a report.
type plan struct {
	catalogue *checklist.Catalogue
	file      *answers.File
	wanted    []string
	outputDir string
	config    check.Config
}

func (o *runOptions) execute(ctx context.Context, p plan) error {
	redactor := redactorFor(p.file)
	out := redactor.Writer(os.Stdout)
	defer out.Flush()
	terminal := report.NewTerminal(out, style(o.noColor), p.catalogue, len(p.wanted))
	began := time.Now()
	rules := derive.Options{Catalogue: p.catalogue, Answers: p.file, Selected: p.config.Selected, Strict: o.strict, Now: began}
	outcome := o.launch(ctx, p, settling{terminal, rules})
	settled, computed := rules.Complete(outcome.Results)
	results := append(settled, computed...)
	report.Redact(results, redactor)
	terminal.Derived(computed)
	details := report.Run{ID: p.config.RunID, Version: version, Started: began, Seconds: time.Since(began).Seconds(),
		Answers: filepath.Base(o.answers), Focus: o.focus, Skip: o.skip, ReadOnly: o.readOnly, Interrupted: outcome.Interrupted}
	details.ExitCode = exitCode(results, outcome)
	cluster := report.Cluster{Server: outcome.Run.Server, Kubernetes: outcome.Run.Kubernetes, Namespace: p.config.Namespace, User: outcome.Run.User}
	document := report.New(p.catalogue, details, cluster, results, problems(outcome, redactor))
	if outcome.Broken != nil || o.verbose {
		fmt.Fprintln(out, outcome.Output)
	}
	if err := document.Write(p.outputDir); err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		if details.ExitCode != verdict.ExitNotMet {
			return exitError(verdict.ExitUndecided)
		}
	}
	terminal.Summary(document, []string{filepath.Join(p.outputDir, report.JUnitFile), filepath.Join(p.outputDir, report.JSONFile)})
	if document.Run.ExitCode != verdict.ExitMet {
		return exitError(document.Run.ExitCode)
	}
	return nil
}

// launch runs the checks, unless the suite itself is wrong. Signals are the launcher's own
// business: they end checks, not the report.
func (o *runOptions) launch(ctx context.Context, p plan, observer launch.Observer) launch.Outcome {
	if mistakes := check.Mistakes(p.catalogue, p.file); len(mistakes) > 0 {
		return launch.NotStarted(p.wanted, fmt.Errorf("defects of this suite, nothing was run:\n  %s", strings.Join(mistakes, "\n  ")))
	}
	return launch.Run(context.WithoutCancel(ctx), p.config, p.wanted, observer)
}

// settling shows each result as it will count: a waived failure is not shown as a failure.
type settling struct {
	*report.Terminal
	rules derive.Options
}

func (s settling) Ended(r verdict.Result) { s.Terminal.Ended(s.rules.Settle(r)) }

// mistypedFocus looks at --focus and --skip where the answers file could not be loaded, so
// that whoever mistyped one of them need not mend the other first. The customer's own checks
// are not known then, so that a token that may mean one of them is let pass.
func (o *runOptions) mistypedFocus() error {
	catalogue, err := checklist.Load()
	if err != nil {
		return err
	}
	var none *checklist.NoMatchError
	if _, err = catalogue.Select(o.focus, o.skip); errors.As(err, &none) && len(none.Near) > 0 {
		return err
	}
	return nil
}

// exitCode lets what happened to the run itself count beside its results.
func exitCode(results []verdict.Result, outcome launch.Outcome) int {
	code := verdict.ExitCode(results)
	switch {
	case outcome.Aborted:
		return verdict.ExitAborted
	case code != verdict.ExitNotMet && (outcome.Broken != nil || outcome.Interrupted || outcome.TimedOut):
		return verdict.ExitUndecided
	}
	return code
}

func problems(outcome launch.Outcome, redactor report.Redactor) []string {
	var out []string
	if outcome.Broken != nil {
		out = append(out, redactor.String(outcome.Broken.Error()))
	}
	if outcome.Interrupted {
		out = append(out, "the run was interrupted before all checks had ended")
	}
	if outcome.TimedOut {
		out = append(out, "the run's --timeout was reached before all checks had ended")
	}
	return out
}

// measured lists the selected items that have a check, in the checklist's order.
func measured(catalogue *checklist.Catalogue, selected map[string]bool) []string {
	var ids []string
	for _, item := range catalogue.Items() {
		if selected[item.ID] && (item.Kind == checklist.Probe || item.Kind == checklist.Attest) {
			ids = append(ids, item.ID)
		}
	}
	return ids
}

// redactorFor knows every secret that the answers file refers to and that can be read
// here; what only the workers can read, they redact.
func redactorFor(file *answers.File) *redact.Redactor {
	redactor := redact.New()
	for _, reference := range file.Secrets() {
		if value, err := reference.Resolve(context.Background(), nil); err == nil {
			redactor.Add(value)
		}
	}
	return redactor
}

func writableFolder(folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("--output-dir: %w", err)
	}
	trial, err := os.CreateTemp(folder, ".writable-*")
	if err != nil {
		return "", fmt.Errorf("--output-dir is not writable: %w", err)
	}
	trial.Close()
	return folder, os.Remove(trial.Name())
}

func style(noColor bool) report.Style {
	terminal := term.IsTerminal(int(os.Stdout.Fd()))
	width := 0
	if terminal {
		width, _, _ = term.GetSize(int(os.Stdout.Fd()))
	}
	gitlab := os.Getenv("GITLAB_CI") != ""
	_, quiet := os.LookupEnv("NO_COLOR")
	return report.Style{Color: (terminal || gitlab) && !noColor && !quiet, Live: terminal && !gitlab, Sections: gitlab, Width: width}
}

func orElse(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
