package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
	"aiv.internal/conformance/cmd/lab/web"
)

// options are the flags of the command.
type options struct {
	dir                             state.Dir
	addr, cert, key, htpasswd, root string
}

// NewCommand returns `registry`, which serves the lab's registry until it is told to end.
// Flags that are not given come from the state folder in the environment.
func NewCommand() *cobra.Command {
	o := options{dir: state.Dir(os.Getenv(state.EnvironmentVariable))}
	c := &cobra.Command{
		Use:   "registry",
		Short: "Serve the lab's container registry",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			return o.run(ctx)
		},
	}
	f := c.Flags()
	f.StringVar((*string)(&o.dir), "lab-dir", string(o.dir), "state folder of the lab whose users, keys and planted faults count")
	f.StringVar(&o.addr, "addr", net.JoinHostPort(topology.HostIP, topology.RegistryPort), "address to listen at")
	f.StringVar(&o.cert, "cert", "", "server certificate, PEM (the lab's if not given)")
	f.StringVar(&o.key, "key", "", "its key, PEM (the lab's if not given)")
	f.StringVar(&o.htpasswd, "htpasswd", "", "users and bcrypt hashes (the lab's users if not given)")
	f.StringVar(&o.root, "root", "", "directory of the blobs (the lab's if not given)")
	return c
}

// complete fills the flags that were not given from the state folder.
func (o *options) complete() error {
	given := o.cert != "" && o.key != "" && o.htpasswd != "" && o.root != ""
	if o.dir == "" && !given {
		return fmt.Errorf("give --lab-dir, or all of --cert, --key, --htpasswd and --root")
	}
	for flag, value := range map[*string]string{
		&o.cert: o.dir.PKI(pki.Registry + ".crt"),
		&o.key:  o.dir.PKI(pki.Registry + ".key"),
		&o.root: o.dir.Registry(),
	} {
		if *flag == "" {
			*flag = value
		}
	}
	if o.htpasswd == "" {
		o.htpasswd = o.dir.Run("registry.htpasswd")
		return labUsers(o.dir, o.htpasswd)
	}
	return nil
}

func (o *options) run(ctx context.Context) error {
	if err := o.complete(); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return fmt.Errorf("the registry's certificate: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	handler, shutdown, err := New(ctx, Settings{
		Root: o.root, HTPasswd: o.htpasswd, Log: log,
		Pushers: map[string]string{topology.RegistryUser: topology.RegistryRepository},
		Active:  func(fault string) bool { return o.dir != "" && o.dir.FaultActive(fault) },
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return errors.Join(err, shutdown())
	}
	log.Info("listening", "address", l.Addr())
	return errors.Join(web.Serve(ctx, l, pair, handler, log), shutdown())
}
