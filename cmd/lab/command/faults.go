package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/require"
)

// faultDeadline is for planting or mending one fault, which may mean to wait until a node or
// a namespace has changed.
const faultDeadline = 90 * time.Second

// listed is a fault in `lab faults -o json`.
type listed struct {
	faults.Fault
	Active bool `json:"active"`
}

func newFaults() *cobra.Command {
	command := &cobra.Command{
		Use:   "faults",
		Short: "List the faults that can be planted and what must find them",
		Args:  noArguments,
	}
	asJSON := addOutput(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		lab, err := open(command)
		if err != nil {
			return err
		}
		all := []listed{}
		for _, fault := range faults.Table() {
			all = append(all, listed{Fault: fault, Active: lab.Dir.FaultActive(fault.Name)})
		}
		if *asJSON {
			return writeJSON(command.OutOrStdout(), all)
		}
		return printFaults(command.OutOrStdout(), all)
	}
	return command
}

func printFaults(out io.Writer, all []listed) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tPLANTED\tLAB\tFAILED\tUNDECIDED\tWHAT IS BROKEN")
	for _, fault := range all {
		planted, lab := "", ""
		if fault.Active {
			planted = "yes"
		}
		if fault.Full {
			lab = "full"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", fault.Name, planted, lab,
			strings.Join(fault.Failed, " "), strings.Join(fault.Undecided, " "), fault.Description)
	}
	return table.Flush()
}

func newBreak() *cobra.Command {
	return &cobra.Command{
		Use:   "break NAME...",
		Short: "Plant a fault; harmless when it is planted",
		Args: func(_ *cobra.Command, names []string) error {
			if len(names) == 0 {
				return usageError{fmt.Errorf("break what? There are %s", strings.Join(faults.Names(), ", "))}
			}
			return nil
		},
		ValidArgsFunction: completeFaults,
		RunE: func(command *cobra.Command, names []string) error {
			return change(command, names, "planted", faults.Break)
		},
	}
}

func newMend() *cobra.Command {
	return &cobra.Command{
		Use:               "mend [NAME...]",
		Short:             "Undo planted faults, all of them without a name",
		ValidArgsFunction: completeFaults,
		RunE: func(command *cobra.Command, names []string) error {
			if len(names) == 0 {
				lab, err := open(command)
				if err != nil {
					return err
				}
				names = faults.Active(lab.Dir)
			}
			return change(command, names, "mended", faults.Mend)
		},
	}
}

// change plants or mends the named faults, in turn, after all names were found right.
func change(command *cobra.Command, names []string, done string, do func(context.Context, *faults.Lab, faults.Fault) error) error {
	lab, err := open(command)
	if err != nil {
		return err
	}
	var chosen []faults.Fault
	for _, name := range names {
		fault, err := faults.Find(name)
		if err != nil {
			return usageError{err}
		}
		chosen = append(chosen, fault)
	}
	if err := require.Root(); err != nil {
		return err
	}
	for _, fault := range chosen {
		ctx, cancel := context.WithTimeout(command.Context(), faultDeadline)
		err := do(ctx, faults.New(lab.Dir), fault)
		cancel()
		if err != nil {
			return err
		}
		lab.Say.Say("%s: %s", done, fault.Name)
	}
	return nil
}

func completeFaults(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return faults.Names(), cobra.ShellCompDirectiveNoFileComp
}
