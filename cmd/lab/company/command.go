package company

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// NewCommand returns `company`, which serves the stand-ins until it is told to end.
func NewCommand() *cobra.Command {
	dir, address := os.Getenv(state.EnvironmentVariable), topology.HostIP
	c := &cobra.Command{
		Use:   "company",
		Short: "Serve the lab's stand-ins for GitLab, an object store, a Ceph monitor and the outside",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dir == "" {
				return fmt.Errorf("give --lab-dir, or name the state folder in %s", state.EnvironmentVariable)
			}
			pair, err := tls.LoadX509KeyPair(state.Dir(dir).PKI(pki.Company+".crt"), state.Dir(dir).PKI(pki.Company+".key"))
			if err != nil {
				return fmt.Errorf("the stand-ins' certificate: %w", err)
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			return Serve(ctx, address, pair, slog.New(slog.NewTextHandler(os.Stderr, nil)))
		},
	}
	c.Flags().StringVar(&dir, "lab-dir", dir, "state folder of the lab whose certificate is shown")
	c.Flags().StringVar(&address, "address", address, "address to listen at")
	return c
}
