package csi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/state"
)

// options are the flags of the command.
type options struct {
	driver, mode, node, endpoint     string
	kubeletDir, stateDir, faultsFrom string
	capacity                         int64
}

// NewCommand returns `csi`, which serves one driver as controller or on one node until it
// is told to end.
func NewCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "csi",
		Short: "Serve a simulated Ceph CSI driver (" + Simulated + ")",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			return o.run(ctx)
		},
	}
	f := c.Flags()
	f.StringVar(&o.driver, "driver", RBD, "name of the driver: "+RBD+" or "+CephFS)
	f.StringVar(&o.mode, "mode", "node", "part of the driver: controller or node")
	f.StringVar(&o.node, "node", "", "name of the node served (mode node)")
	f.StringVar(&o.kubeletDir, "kubelet-dir", "/var/lib/kubelet", "root directory of the node's kubelet (mode node)")
	f.StringVar(&o.endpoint, "endpoint", "", "unix:///PATH to listen at (mode node: below the kubelet's plugins directory if not given)")
	f.StringVar(&o.stateDir, "state-dir", "", "directory of images and records, the same for all parts of a driver")
	f.StringVar(&o.faultsFrom, "lab-dir", os.Getenv(state.EnvironmentVariable), "state folder of the lab whose planted faults count")
	f.Int64Var(&o.capacity, "capacity", 500<<30, "sum of the sizes in bytes of all volumes that fit")
	return c
}

func (o *options) run(ctx context.Context) error {
	if o.stateDir == "" {
		return errors.New("--state-dir is missing")
	}
	active := func(string) bool { return false }
	if o.faultsFrom != "" {
		active = state.Dir(o.faultsFrom).FaultActive
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("driver", o.driver, "mode", o.mode)
	switch o.mode {
	case "controller":
		d, err := newDriver(o.driver, "", o.stateDir, o.capacity, active, log)
		if err != nil {
			return err
		}
		return d.runController(ctx, o.endpoint)
	case "node":
		if o.node == "" {
			return errors.New("--node is missing")
		}
		d, err := newDriver(o.driver, o.node, o.stateDir, o.capacity, active, log.With("node", o.node))
		if err != nil {
			return err
		}
		if o.endpoint == "" {
			o.endpoint = filepath.Join(o.kubeletDir, "plugins", d.name, "csi.sock")
		}
		return d.runNode(ctx, o.endpoint, o.kubeletDir)
	}
	return fmt.Errorf("--mode=%s is unknown: use controller or node", o.mode)
}

func (d *driver) runController(ctx context.Context, endpoint string) error {
	if err := d.thawAll(); err != nil {
		return err
	}
	l, err := listen(endpoint)
	if err != nil {
		return err
	}
	d.log.Info("listening", "socket", l.Addr())
	return serve(ctx, d.controller(), l)
}

func (d *driver) runNode(ctx context.Context, endpoint, kubeletDir string) error {
	if err := d.announce(); err != nil {
		return err
	}
	l, err := listen(endpoint)
	if err != nil {
		return err
	}
	d.log.Info("listening", "socket", l.Addr())
	// Register only now: the kubelet calls the driver at once.
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return serve(ctx, d.nodePlugin(), l) })
	parts.Go(func() error { return d.register(ctx, kubeletDir, socketPath(endpoint)) })
	return parts.Wait()
}
