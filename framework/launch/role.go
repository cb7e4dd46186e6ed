package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/onsi/ginkgo/v2/ginkgo/command"
	"github.com/onsi/ginkgo/v2/ginkgo/run"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/verdict"
)

// The same binary plays three roles: the command line that people call, Ginkgo's command
// line, and Ginkgo's workers. The suite's name tells a worker, the variable tells Ginkgo.
const (
	suiteName    = "conformance.test"
	roleVariable = "CONFORMANCE_ROLE"
	ginkgoRole   = "ginkgo"
)

// Divert runs the process as what it was started as, if that is not the command line for
// people, and does not return then.
func Divert() {
	if filepath.Base(os.Args[0]) == suiteName {
		os.Exit(check.Work())
	}
	if os.Getenv(roleVariable) == ginkgoRole {
		os.Exit(ginkgoMain(os.Args[1:]))
	}
}

// ginkgoMain is Ginkgo's command line with its one command, "run".
func ginkgoMain(arguments []string) (code int) {
	defer func() {
		// Commands end by panicking with what they want to say.
		switch ending := recover().(type) {
		case nil:
		case command.AbortDetails:
			if ending.Error != nil {
				fmt.Fprintln(os.Stderr, ending.Error)
			}
			code = ending.ExitCode
		default:
			panic(ending)
		}
	}()
	if len(arguments) == 0 || strings.HasPrefix(arguments[0], "-") {
		fmt.Fprintf(os.Stderr, "%s is set, but Ginkgo's command is missing\n", roleVariable)
		return verdict.ExitUsage
	}
	runCommand := run.BuildRunCommand()
	runCommand.Run(arguments[1:], nil)
	return verdict.ExitMet
}
