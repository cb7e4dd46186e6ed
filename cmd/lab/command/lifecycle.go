package command

import (
	"errors"

	"github.com/spf13/cobra"

	"aiv.internal/conformance/cmd/lab/require"
)

func newUp() *cobra.Command {
	var install, full bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Build what is missing and bring the lab up; harmless when it is up",
		Long: "Builds what is missing and brings the lab up. With --full, Traefik is the ingress controller, which takes\n" +
			"about 13 minutes of CPU time to build the first time. A lab that is full stays it until it is taken down.",
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			lab, err := open(command)
			if err != nil {
				return err
			}
			var missing *require.MissingError
			if err := require.Machine(); install && errors.As(err, &missing) {
				lab.Say.Say("installing %v", missing.Packages)
				if err := require.Install(command.Context(), missing, command.ErrOrStderr()); err != nil {
					return err
				}
			}
			return lab.Up(command.Context(), full)
		},
	}
	command.Flags().BoolVar(&full, "full", false, "with an ingress controller")
	command.Flags().BoolVar(&install, "install", false, "install missing Debian packages with apt-get first")
	return command
}

func newDown() *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "down",
		Short: "End the lab and remove everything that it made, except for built programs",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			lab, err := open(command)
			if err != nil {
				return err
			}
			return lab.Down(command.Context(), all)
		},
	}
	command.Flags().BoolVar(&all, "all", false, "remove the built programs as well")
	return command
}
