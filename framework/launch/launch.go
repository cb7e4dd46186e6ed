// Package launch runs the suites: it starts Ginkgo's own command line in a child process,
// which starts the parallel workers, hands out the checks and handles interrupts. The
// launcher collects results as they come, passes signals on, and accounts for every check
// that was asked for, whatever became of the processes that should have run it.
package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/progress"
	"aiv.internal/conformance/framework/verdict"
)

// Grace periods after the run's own timeout, or after a signal: Ginkgo gives cleanup this
// long, and the launcher gives Ginkgo a little more before it ends the processes.
const (
	ginkgoGrace   = 75 * time.Second
	launcherGrace = 180 * time.Second
)

// Observer is told what happens while it happens. Interrupted may be called while another
// method runs.
type Observer interface {
	Began(run progress.Run)
	Started(id string)
	Ended(result verdict.Result)
	Interrupted(signal os.Signal)
}

// Outcome is everything that a run left.
type Outcome struct {
	Run     progress.Run
	Results []verdict.Result
	// Interrupted is set when a signal ended the run early, Aborted on a second one.
	Interrupted, Aborted bool
	// TimedOut is set when the run's own timeout ended it.
	TimedOut bool
	// Output is what Ginkgo and the workers printed; shown only where something broke.
	Output string
	// Broken says what went wrong with the processes themselves, nil if nothing did.
	Broken error
}

// Run runs the selected checks with config.Workers processes and returns when all of them
// have ended and cleaned up. Every ID in wanted has a result, whatever went wrong.
func Run(ctx context.Context, config check.Config, wanted []string, observer Observer) Outcome {
	outcome, err := start(ctx, config, wanted, observer)
	if err != nil {
		return NotStarted(wanted, err)
	}
	return outcome
}

// NotStarted is the outcome of a run that could not begin.
func NotStarted(wanted []string, reason error) Outcome {
	outcome := Outcome{Broken: reason}
	for _, id := range wanted {
		outcome.Results = append(outcome.Results, verdict.Result{ID: id, Verdict: verdict.Undecided,
			Finding: finding.NotDecided("the check runs", "the run could not begin: "+reason.Error(), "", "mend that and run it again").Because(reason)})
	}
	return outcome
}

func start(ctx context.Context, config check.Config, wanted []string, observer Observer) (Outcome, error) {
	var outcome Outcome
	folder, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return outcome, fmt.Errorf("make a folder for the workers: %w", err)
	}
	defer os.RemoveAll(folder)
	linked, err := linkSuite(folder)
	if err != nil {
		return outcome, err
	}
	config.Socket = filepath.Join(folder, "progress")
	listener, err := progress.Listen(config.Socket)
	if err != nil {
		return outcome, err
	}
	encoded, err := config.Encode()
	if err != nil {
		listener.Close()
		return outcome, err
	}
	output := &tail{limit: 256 << 10}
	command := exec.Command(linked.program, ginkgoArguments(config, linked.path)...)
	command.Env = append(os.Environ(), check.ConfigVariable+"="+encoded, roleVariable+"="+ginkgoRole)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := command.Start(); err != nil {
		listener.Close()
		return outcome, fmt.Errorf("start the workers: %w", err)
	}
	ended := make(chan error, 1)
	go func() {
		err := command.Wait()
		listener.Close()
		ended <- err
	}()
	stop := relay(ctx, command.Process.Pid, config.Timeout, &outcome, observer)
	seen := collect(listener, &outcome, observer)
	waited := <-ended
	stop()
	outcome.Output = output.String()
	outcome.TimedOut = !outcome.Interrupted && time.Since(began) >= config.Timeout
	outcome.account(config, wanted, seen, waited)
	return outcome, nil
}

type suite struct{ program, path string }

// linkSuite makes a link to this program that Ginkgo takes for a compiled suite.
func linkSuite(folder string) (suite, error) {
	program, err := os.Executable()
	if err != nil {
		return suite{}, fmt.Errorf("find this program's own file: %w", err)
	}
	path := filepath.Join(folder, suiteName)
	if err := os.Symlink(program, path); err != nil {
		return suite{}, fmt.Errorf("link the suite: %w", err)
	}
	return suite{program: program, path: path}, nil
}

func ginkgoArguments(config check.Config, suite string) []string {
	return []string{
		"run",
		"--procs=" + strconv.Itoa(max(config.Workers, 1)),
		"--timeout=" + config.Timeout.String(),
		"--grace-period=" + ginkgoGrace.String(),
		"--no-color", "--succinct", "--silence-skips",
		"--output-interceptor-mode=none",
		"--keep-going",
		suite,
	}
}

// collect reads events until every worker's connection has ended.
func collect(listener *progress.Listener, outcome *Outcome, observer Observer) map[string]bool {
	seen := map[string]bool{}
	for event := range listener.Events() {
		switch {
		case event.Run != nil:
			outcome.Run = *event.Run
			observer.Began(*event.Run)
		case event.Started != "":
			observer.Started(event.Started)
		case event.Result != nil:
			seen[event.Result.ID] = true
			outcome.Results = append(outcome.Results, *event.Result)
			observer.Ended(*event.Result)
		case event.Problem != "":
			outcome.Broken = errors.Join(outcome.Broken, errors.New(event.Problem))
		}
	}
	return seen
}

// account gives every wanted item that has no result one that says so: a check that was
// asked for and did not run is undecided, never left out.
func (o *Outcome) account(config check.Config, wanted []string, seen map[string]bool, waited error) {
	missing := 0
	for _, id := range wanted {
		if seen[id] {
			continue
		}
		missing++
		reason := "the processes that run the checks ended before it"
		switch {
		case o.Interrupted:
			reason = "the run was interrupted before it"
		case o.TimedOut:
			reason = "--timeout=" + config.Timeout.String() + " was reached before it"
		}
		o.Results = append(o.Results, verdict.Result{ID: id, Verdict: verdict.Undecided,
			Finding: finding.NotDecided("the check runs", reason, "", "run it again")})
	}
	var exit *exec.ExitError
	if waited != nil && !errors.As(waited, &exit) {
		o.Broken = errors.Join(o.Broken, waited)
	}
	switch {
	case o.Interrupted || o.TimedOut:
	case missing > 0:
		o.Broken = errors.Join(o.Broken, fmt.Errorf("%d checks did not run: Ginkgo ended with %v", missing, waited))
	case waited != nil && !o.explained():
		o.Broken = errors.Join(o.Broken, fmt.Errorf("no check says why, but Ginkgo ended with %w", waited))
	}
	if o.Run.Leased && !seen[check.CleanupID] {
		o.Broken = errors.Join(o.Broken, fmt.Errorf("the run may have left objects behind: remove them with: runner cleanup --run %s", config.RunID))
	}
}

// explained tells whether some result is a reason for Ginkgo to have failed.
func (o *Outcome) explained() bool {
	return slices.ContainsFunc(o.Results, func(r verdict.Result) bool {
		return r.Verdict == verdict.Failed || r.Verdict == verdict.Undecided || r.Verdict == verdict.Waived
	})
}

// relay passes signals, and the end of ctx, to every process of the run: Ginkgo's command
// line and each worker. The first signal lets checks clean up, the second only reports.
//
// Ginkgo ends the checks at the run's timeout by itself; processes that are still there long
// after it are ended here.
func relay(ctx context.Context, group int, timeout time.Duration, outcome *Outcome, observer Observer) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		kill := time.After(timeout + ginkgoGrace + launcherGrace)
		cancelled := ctx.Done()
		interrupt := func(s os.Signal) {
			if outcome.Interrupted {
				outcome.Aborted = true
			}
			outcome.Interrupted = true
			observer.Interrupted(s)
			syscall.Kill(-group, syscall.SIGTERM)
			kill = time.After(launcherGrace)
		}
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				interrupt(s)
			case <-cancelled:
				cancelled = nil
				interrupt(os.Interrupt)
			case <-kill:
				syscall.Kill(-group, syscall.SIGKILL)
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		<-finished
	}
}

// tail keeps the last bytes that were written to it.
type tail struct {
	buffer bytes.Buffer
	limit  int
}

func (t *tail) Write(p []byte) (int, error) {
	t.buffer.Write(p)
	if extra := t.buffer.Len() - t.limit; extra > 0 {
		t.buffer.Next(extra)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.buffer.String() }
