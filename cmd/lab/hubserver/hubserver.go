// Package hubserver knows who shows JupyterHub's certificate to users, so that a change of its
// files takes effect.
package hubserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// NGINX is the name of the process that stands for a load balancer which ends TLS.
const NGINX = "nginx"

// reloadDeadline is for a reload that takes a second.
const reloadDeadline = 20 * time.Second

// Reload makes what listens at the VIP read the certificate and key of pki.HubServer anew, and
// returns when it shows them.
func Reload(ctx context.Context, supervisor process.Supervisor) error {
	pair, err := tls.LoadX509KeyPair(supervisor.Dir.PKI(pki.HubServer)+".crt", supervisor.Dir.PKI(pki.HubServer)+".key")
	if err != nil {
		return err
	}
	if server, running := supervisor.Find(NGINX); running {
		if err := syscall.Kill(server.PID, syscall.SIGHUP); err != nil {
			return fmt.Errorf("reload %s: %w", NGINX, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, reloadDeadline)
	defer cancel()
	return process.Until(ctx, func(ctx context.Context) error { return shows(ctx, pair.Certificate) })
}

// shows returns nil where the VIP's server sends exactly this chain.
func shows(ctx context.Context, chain [][]byte) error {
	// Whether the chain can be trusted is not asked here: faults serve bad ones.
	dialer := tls.Dialer{Config: &tls.Config{ServerName: topology.HubHost, InsecureSkipVerify: true}}
	connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(topology.VIP, "443"))
	if err != nil {
		return err
	}
	defer connection.Close()
	shown := connection.(*tls.Conn).ConnectionState().PeerCertificates
	if len(shown) != len(chain) {
		return fmt.Errorf("%s shows %d certificates, not %d", topology.VIP, len(shown), len(chain))
	}
	for i := range shown {
		if !bytes.Equal(shown[i].Raw, chain[i]) {
			return errors.New(topology.VIP + " shows another certificate")
		}
	}
	return nil
}

// Replace puts another certificate and key in the place of those that are served, and returns
// when they are.
func Replace(ctx context.Context, supervisor process.Supervisor, pair pki.Pair) error {
	if err := pair.Write(supervisor.Dir.PKI(pki.HubServer)); err != nil {
		return err
	}
	return Reload(ctx, supervisor)
}

// Served returns the certificate and key that are served.
func Served(supervisor process.Supervisor) (pki.Pair, error) {
	path := supervisor.Dir.PKI(pki.HubServer)
	certificate, err := os.ReadFile(path + ".crt")
	if err != nil {
		return pki.Pair{}, err
	}
	key, err := os.ReadFile(path + ".key")
	return pki.Pair{Certificate: certificate, Key: key}, err
}
