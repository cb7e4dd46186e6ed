package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/discover"
)

// discoverTimeout bounds the look around the cluster.
const discoverTimeout = time.Minute

func newInitCommand() *cobra.Command {
	var t target
	var output string
	var offline bool
	command := &cobra.Command{
		Use:   "init",
		Short: "Write an answers file, filled with what the cluster tells",
		Long: `Writes a commented answers file. What can be read in the cluster is filled in; look at it, for it
says what is there and not what should be. Nothing is created in the cluster.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var found answers.Discovered
			if !offline {
				var err error
				if found, err = t.discover(command.Context()); err != nil {
					return err
				}
			}
			return writeNew(output, answers.Template(found))
		},
	}
	t.bindCluster(command)
	command.Flags().StringVarP(&output, "output", "o", "-", "`file` to write; it must not exist yet")
	command.Flags().BoolVar(&offline, "offline", false, "do not ask the cluster")
	return command
}

func (t *target) discover(ctx context.Context) (answers.Discovered, error) {
	kubeconfig, forget, err := t.kubeconfigFile()
	if err != nil {
		return answers.Discovered{}, err
	}
	defer forget()
	config, err := check.Config{Kubeconfig: kubeconfig, Context: t.contextName()}.ClientConfig().ClientConfig()
	if err != nil {
		return answers.Discovered{}, fmt.Errorf("no cluster to look at: %w; without one: runner init --offline", err)
	}
	config.UserAgent = "conformance/" + version + " (init)"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return answers.Discovered{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	found, warnings := discover.Run(ctx, client, t.namespace)
	for _, warning := range warnings {
		fmt.Fprintln(os.Stderr, "not found out:", warning)
	}
	return found, nil
}

// writeNew writes to standard output or to a file that is not there yet: answers that
// somebody has written are never overwritten.
func writeNew(path string, content []byte) error {
	if path == "-" {
		_, err := os.Stdout.Write(content)
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write the answers file: %w", err)
	}
	if _, err := file.Write(content); err != nil {
		file.Close()
		return fmt.Errorf("write the answers file: %w", err)
	}
	return file.Close()
}
