// Package command is the lab's command line.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"aiv.internal/conformance/cmd/lab/cluster"
	"aiv.internal/conformance/cmd/lab/console"
	"aiv.internal/conformance/cmd/lab/state"
)

// Main runs the command line and returns the exit code: 0 done, 1 failed, 2 wrong use.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := errors.Join(findSystemTools(), bypassProxies()); err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		return 1
	}
	root := NewCommand()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "lab: %v\n", err)
	var use usageError
	if errors.As(err, &use) {
		return 2
	}
	return 1
}

// findSystemTools adds the folders of administration tools to PATH, which root lacks in a
// shell that was opened by a plain `su`.
func findSystemTools() error {
	return os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
}

// usageError is a wrong command line.
type usageError struct{ error }

// NewCommand returns `lab` with all its subcommands.
func NewCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "A real Kubernetes cluster and a simulated AIV on one Linux machine",
		Long: "lab brings up a two-node Kubernetes cluster and the services of a simulated customer on this machine,\n" +
			"so that the conformance suite can be run against the real thing, and broken on purpose.\n" +
			"Its state is in .lab at the repository's root (or in $" + state.EnvironmentVariable + ").",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newUp(), newDown(), newStatus(), newKubeconfig(), newAnswers(), newFaults(), newBreak(), newMend(), newServe())
	return root
}

// open returns the lab of the working directory, reporting to the command's error output, so
// that output for programs stays clean.
func open(command *cobra.Command) (cluster.Lab, error) {
	dir, err := state.Find()
	if err != nil {
		return cluster.Lab{}, err
	}
	return cluster.Lab{Dir: dir, Say: console.New(command.ErrOrStderr())}, nil
}

// noArguments refuses arguments as wrong use.
func noArguments(command *cobra.Command, arguments []string) error {
	if err := cobra.NoArgs(command, arguments); err != nil {
		return usageError{err}
	}
	return nil
}
