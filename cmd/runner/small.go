package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/throwaway"
	"aiv.internal/conformance/framework/verdict"
)

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the answers file, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := os.Stdout.Write(answers.Schema())
			return err
		},
	}
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			fmt.Printf("runner %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

// cleanupTimeout bounds the removal of what earlier runs left.
const cleanupTimeout = 5 * time.Minute

func newCleanupCommand() *cobra.Command {
	var t target
	var options throwaway.SweepOptions
	command := &cobra.Command{
		Use:   "cleanup",
		Short: "Remove what a killed run left in the namespace",
		Long: `Removes the throwaway objects of runs whose time is over, as their Lease says, and objects that
carry the suite's label and belong to no run. A run that may still be going on is left alone
unless it is named with --run, or --all is given. In a GitLab job, the job's own runs are over.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.Prefix = jobPrefix()
			return t.cleanup(command.Context(), options)
		},
	}
	t.bind(command)
	command.Flags().StringVar(&options.RunID, "run", "", "`ID` of the run to remove, whether it goes on or not")
	command.Flags().BoolVar(&options.All, "all", false, "remove all runs, those that go on too")
	return command
}

func (t *target) cleanup(ctx context.Context, options throwaway.SweepOptions) error {
	namespace := t.namespace
	if namespace == "" {
		_, file, err := t.load()
		if err != nil {
			return fmt.Errorf("which namespace? Give --namespace, or an answers file: %w", err)
		}
		if namespace = file.Cluster.Namespace; namespace == "" {
			return fmt.Errorf("which namespace? Give --namespace, or set cluster.namespace in the answers file")
		}
	}
	kubeconfig, forget, err := t.kubeconfigFile()
	if err != nil {
		return err
	}
	defer forget()
	config, err := check.Config{Kubeconfig: kubeconfig, Context: t.contextName()}.ClientConfig().ClientConfig()
	if err != nil {
		return fmt.Errorf("no cluster to clean up in: %w", err)
	}
	config.UserAgent = "conformance/" + version + " (cleanup)"
	client, err := throwaway.NewClient(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	removed, err := throwaway.Sweep(ctx, client, namespace, options)
	for _, object := range removed {
		fmt.Println("removed", object)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "runner: not everything could be removed:", err)
		return exitError(verdict.ExitUndecided)
	}
	if len(removed) == 0 {
		fmt.Println("nothing to remove in namespace", namespace)
	}
	return nil
}
