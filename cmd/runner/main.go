// Command runner finds out whether a cluster and the services around it are as the AIV
// production requirements checklist says that they must be.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	// The image holds no public CAs, and Entra ID is signed by one: these count where the system
	// has none.
	_ "golang.org/x/crypto/x509roots/fallback"

	"aiv.internal/conformance/framework/launch"
	"aiv.internal/conformance/framework/verdict"
	_ "aiv.internal/conformance/suites"
)

// version is set when a release is linked.
var version = "dev"

func main() {
	launch.Divert()
	os.Exit(execute(newRootCommand()))
}

// exitError carries the exit code of a command that has already said why.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// execute runs the command line. An error that is no run's verdict is wrong use.
func execute(command *cobra.Command) int {
	// A signal ends every command by its context, so that what it defers is done.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command.ExecuteContext(ctx)
	var code exitError
	switch {
	case err == nil:
		return verdict.ExitMet
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "runner:", err)
	return verdict.ExitUsage
}

func newRootCommand() *cobra.Command {
	run := newRunCommand()
	root := &cobra.Command{
		Use:   "runner",
		Short: "Check a cluster against the AIV production requirements checklist",
		Long: `Checks a cluster, and the services around it, against the 204 requirements that must be true
before JupyterHub is installed. What should be there comes from the answers file; what is there
is measured with throwaway pods in the namespace. Without a command, it runs the checks.`,
		Example: `  runner --answers answers.yaml
  runner --focus=storage
  runner --focus=6.1.4.1
  runner --focus='pull secret'
  runner init > answers.yaml`,
		Args:          cobra.NoArgs,
		RunE:          run.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(run.Flags())
	root.AddCommand(run, newListCommand(), newInitCommand(), newImagesCommand(), newCleanupCommand(), newSchemaCommand(), newVersionCommand())
	return root
}
