package entra

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
	"aiv.internal/conformance/cmd/lab/web"
)

// options are the flags of the command.
type options struct {
	dir        state.Dir
	addr       string
	standalone bool
}

// NewCommand returns `entra`, which serves the simulated Entra ID and Graph until it is told
// to end.
func NewCommand() *cobra.Command {
	o := options{dir: state.Dir(os.Getenv(state.EnvironmentVariable))}
	c := &cobra.Command{
		Use:   "entra",
		Short: "Serve the lab's simulated Entra ID and Microsoft Graph",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			return o.run(ctx, c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar((*string)(&o.dir), "lab-dir", string(o.dir), "state folder of the lab whose secret, keys and planted faults count")
	f.StringVar(&o.addr, "addr", net.JoinHostPort(topology.HostIP, topology.EntraPort), "address to listen at")
	f.BoolVar(&o.standalone, "standalone", false, "serve without a lab: make what the state folder lacks, go by the address, and print what clients need")
	return c
}

func (o *options) run(ctx context.Context, out io.Writer) error {
	if o.dir == "" {
		return fmt.Errorf("give --lab-dir, or name the state folder in %s", state.EnvironmentVariable)
	}
	if o.standalone {
		if err := furnish(o.dir); err != nil {
			return err
		}
	}
	if err := directory.EnsureCredential(o.dir, time.Now()); err != nil {
		return err
	}
	credential, err := directory.ReadCredential(o.dir)
	if err != nil {
		return fmt.Errorf("client secret: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(o.dir.PKI(pki.Entra+".crt"), o.dir.PKI(pki.Entra+".key"))
	if err != nil {
		return fmt.Errorf("the provider's certificate: %w", err)
	}
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	settings := Settings{
		LoginURL: topology.LoginURL, GraphURL: topology.GraphURL, Credential: credential,
		Active: o.dir.FaultActive, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if o.standalone {
		settings.LoginURL = "https://" + l.Addr().String()
		settings.GraphURL = settings.LoginURL
		if err := announce(out, o.dir, settings); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	handler, err := New(settings)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	settings.Log.Info("listening", "address", l.Addr())
	return web.Serve(ctx, l, pair, handler, settings.Log)
}

// furnish makes a state folder with keys, where there are none.
func furnish(dir state.Dir) error {
	if err := dir.Make(); err != nil {
		return err
	}
	if _, err := os.Stat(dir.CA()); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, pki.Complete(dir))
	}
	return pki.Create(dir)
}

// announce says in one line of JSON what clients of a provider without a lab need.
func announce(out io.Writer, dir state.Dir, s Settings) error {
	return json.NewEncoder(out).Encode(map[string]any{
		"loginUrl": s.LoginURL, "graphUrl": s.GraphURL, "caFile": dir.CA(),
		"tenantId": directory.TenantID, "clientId": directory.ClientID, "clientSecretFile": dir.EntraSecret(),
		"secretExpires": directory.Expires(dir, time.Now()), "redirectUri": directory.RedirectURI,
		"groups": map[string]string{
			directory.UsersName: directory.UsersID, directory.AdminsName: directory.AdminsID,
			directory.GPUName: directory.GPUID, directory.OtherName: directory.OtherID,
		},
	})
}
