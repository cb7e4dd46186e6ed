// Package company stands for services of the simulated company that only have to answer on
// their ports: GitLab, an object store, a Ceph monitor, a web site outside the company, and the
// metadata server of a cloud. They say that they are simulated, and do nothing.
package company

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"aiv.internal/conformance/cmd/lab/topology"
	"aiv.internal/conformance/cmd/lab/web"
)

// cephBanner is what a Ceph monitor sends first to who speaks the protocol's version 2.
const cephBanner = "ceph v2\n"

// bannerTime bounds the wait for a client that does not read.
const bannerTime = 5 * time.Second

// site is a server that answers every request with its name.
type site struct{ name, port string }

// sites answer over TLS.
func sites() []site {
	return []site{
		{"GitLab", topology.GitLabPort},
		{"object store", topology.S3Port},
		{"web site outside the company", topology.OutsidePort},
	}
}

// Serve answers at all ports of the address until ctx ends.
func Serve(ctx context.Context, address string, pair tls.Certificate, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	listen := func(port string, serve func(net.Listener) error) error {
		l, err := net.Listen("tcp", net.JoinHostPort(address, port))
		if err != nil {
			return err
		}
		log.Info("listening", "address", l.Addr())
		group.Go(func() error { return serve(l) })
		return nil
	}
	var failed []error
	for _, s := range sites() {
		failed = append(failed, listen(s.port, func(l net.Listener) error { return web.Serve(ctx, l, pair, s, log) }))
	}
	failed = append(failed,
		listen(topology.CephMonPort, func(l net.Listener) error { return serveMonitor(ctx, l) }),
		listen(topology.MetadataPort, func(l net.Listener) error { return serveMetadata(ctx, l) }))
	if err := errors.Join(failed...); err != nil {
		group.Go(func() error { return err }) // which ends the others
	}
	return group.Wait()
}

// simulatedHeader is how a server of the lab owns up to what it is.
const simulatedHeader = "Conformance-Simulated"

func (s site) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(simulatedHeader, "the lab's "+s.name)
	fmt.Fprintf(w, "The lab's simulated %s: it does no more than answer.\n", s.name)
}

// serveMonitor sends the banner to whoever connects.
func serveMonitor(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		connection, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			_ = connection.SetDeadline(time.Now().Add(bannerTime))
			_, _ = io.WriteString(connection, cephBanner)
		}()
	}
}

// serveMetadata answers in the clear, as the metadata servers of clouds do.
func serveMetadata(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: site{name: "metadata server"}, ReadHeaderTimeout: bannerTime}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
