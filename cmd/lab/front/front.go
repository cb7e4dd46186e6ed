// Package front is a proxy that faults put in front of the ingress controller: one that ends
// TLS with a certificate of its own and opens a connection of its own behind, or one that cuts
// connections on which nothing is sent.
package front

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// dialLimit bounds the connection to what is behind.
const dialLimit = 5 * time.Second

// Forward passes connections on to target until ctx ends, whatever they carry. Those on which
// neither side sends anything for the idle time are closed; 0 keeps them.
func Forward(ctx context.Context, listener net.Listener, target string, idle time.Duration) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for {
		connection, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go pass(ctx, connection, target, idle)
	}
}

func pass(ctx context.Context, in net.Conn, target string, idle time.Duration) {
	defer in.Close()
	out, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	end := func() { in.Close(); out.Close() }
	defer context.AfterFunc(ctx, end)()
	quiet := &watchdog{limit: idle}
	if idle > 0 {
		quiet.timer = time.AfterFunc(idle, end)
		defer quiet.timer.Stop()
	}
	var both sync.WaitGroup
	for _, way := range []struct{ to, from net.Conn }{{out, in}, {in, out}} {
		both.Go(func() {
			io.Copy(way.to, io.TeeReader(way.from, quiet))
			end()
		})
	}
	both.Wait()
}

// watchdog ends a connection unless something is written to it in time.
type watchdog struct {
	timer *time.Timer
	limit time.Duration
}

// Write begins the time anew.
func (w *watchdog) Write(p []byte) (int, error) {
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
	return len(p), nil
}

// Terminate ends TLS with the pair, whatever host is asked for, and passes requests on to target
// over TLS of its own, until ctx ends.
func Terminate(ctx context.Context, listener net.Listener, target string, pair tls.Certificate) error {
	server := &http.Server{
		Handler:           terminator(target),
		ReadHeaderTimeout: dialLimit,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func terminator(target string) http.Handler {
	return &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport: &http.Transport{
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				name, _, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				// Behind it is the lab's own; what it shows is not the point here.
				dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialLimit}, Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
				return dialer.DialContext(ctx, network, target)
			},
		},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: r.In.Host})
			r.SetXForwarded()
		},
	}
}
