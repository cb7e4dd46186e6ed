package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aiv.internal/conformance/cmd/lab/cluster"
	"aiv.internal/conformance/cmd/lab/state"
)

// addOutput adds -o, whose value is checked when it is parsed.
func addOutput(command *cobra.Command) *bool {
	asJSON := false
	command.Flags().FuncP("output", "o", "output format: text or json (default text)", func(value string) error {
		if value != "json" && value != "text" {
			return fmt.Errorf("expected text or json, not %q", value)
		}
		asJSON = value == "json"
		return nil
	})
	return &asJSON
}

func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// errNotUp makes `lab status` end 1 where something is not as it should be.
var errNotUp = errors.New("the lab is not wholly up: run `lab up`")

func newStatus() *cobra.Command {
	command := &cobra.Command{
		Use:   "status",
		Short: "Say how each part of the lab is, and which faults are planted",
		Args:  noArguments,
	}
	asJSON := addOutput(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		lab, err := open(command)
		if err != nil {
			return err
		}
		status := lab.Status(command.Context())
		if *asJSON {
			err = writeJSON(command.OutOrStdout(), status)
		} else {
			err = printStatus(command.OutOrStdout(), status)
		}
		if err == nil && !status.Up {
			err = errNotUp
		}
		return err
	}
	return command
}

func printStatus(out io.Writer, status cluster.Status) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, part := range status.Parts {
		mark := "ok"
		if !part.OK {
			mark = "NOT OK"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", mark, part.Name, part.State)
	}
	planted := "none"
	if len(status.Faults) > 0 {
		planted = strings.Join(status.Faults, ", ")
	}
	fmt.Fprintf(table, "\nplanted faults: %s\n", planted)
	return table.Flush()
}

func newKubeconfig() *cobra.Command {
	var admin bool
	command := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the runner's kubeconfig",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return printPath(command, func(dir state.Dir) string {
				if admin {
					return dir.AdminKubeconfig()
				}
				return dir.Kubeconfig()
			})
		},
	}
	command.Flags().BoolVar(&admin, "admin", false, "the cluster administrator's instead")
	return command
}

func newAnswers() *cobra.Command {
	return &cobra.Command{
		Use:   "answers",
		Short: "Print the path of the answers file that is true for the healthy lab",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return printPath(command, state.Dir.Answers)
		},
	}
}

func printPath(command *cobra.Command, path func(state.Dir) string) error {
	dir, err := state.Find()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path(dir)); err != nil {
		return fmt.Errorf("%w: run `lab up` first", err)
	}
	_, err = fmt.Fprintln(command.OutOrStdout(), path(dir))
	return err
}
