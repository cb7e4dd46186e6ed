package front

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/topology"
)

// Ports on the bridge's address.
const (
	HTTPPort  = 8481
	HTTPSPort = 8445
)

// at is the bridge's address with a port.
func at(port int) string { return net.JoinHostPort(topology.HostIP, strconv.Itoa(port)) }

// options are the flags of the command.
type options struct {
	to, pair string
	idle     time.Duration
}

// NewCommand returns `front`, which proxies until it is told to end.
func NewCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "front",
		Short: "Serve a proxy in front of the ingress controller",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			return o.run(ctx)
		},
	}
	c.Flags().StringVar(&o.to, "to", "", "address whose ports 80 and 443 requests are passed on to")
	c.Flags().StringVar(&o.pair, "pair", "", "certificate and key, without .crt and .key, to end TLS with; without them TLS is passed on unopened")
	c.Flags().DurationVar(&o.idle, "idle", 0, "cut connections to 443 on which nothing is sent for this time, where TLS is passed on")
	return c
}

// run listens on both ports of the bridge's address until ctx ends.
func (o options) run(ctx context.Context) error {
	plain, err := net.Listen("tcp", at(HTTPPort))
	if err != nil {
		return err
	}
	defer plain.Close()
	secured, err := net.Listen("tcp", at(HTTPSPort))
	if err != nil {
		return err
	}
	defer secured.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return Forward(ctx, plain, net.JoinHostPort(o.to, "80"), 0) })
	group.Go(func() error {
		target := net.JoinHostPort(o.to, "443")
		if o.pair == "" {
			return Forward(ctx, secured, target, o.idle)
		}
		pair, err := tls.LoadX509KeyPair(o.pair+".crt", o.pair+".key")
		if err != nil {
			return err
		}
		return Terminate(ctx, secured, target, pair)
	})
	return group.Wait()
}
