package gpu

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/state"
)

// NewCommand returns `gpu-plugin`, which serves the device plugin of one node until it is told
// to end.
func NewCommand() *cobra.Command {
	var kubeletDir, labDir string
	var devices int
	c := &cobra.Command{
		Use:   "gpu-plugin",
		Short: "Serve a device plugin (" + device.Simulated + ")",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if labDir == "" || devices < 1 {
				return errors.New("--lab-dir and at least one device are needed")
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			return server{
				folder: filepath.Join(kubeletDir, pluginFolder), uuids: device.UUIDs(devices),
				unhealthy: device.Unhealthy(state.Dir(labDir)),
				log:       slog.New(slog.NewTextHandler(os.Stderr, nil)),
			}.run(ctx)
		},
	}
	f := c.Flags()
	f.StringVar(&kubeletDir, "kubelet-dir", "/var/lib/kubelet", "root directory of the node's kubelet")
	f.StringVar(&labDir, "lab-dir", os.Getenv(state.EnvironmentVariable), "state folder of the lab")
	f.IntVar(&devices, "devices", 1, "how many devices the node has")
	return c
}
