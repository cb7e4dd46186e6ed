package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// serves asks a server of the lab over TLS that is verified for its name, and wants one of the
// statuses.
func serves(dir state.Dir, what, host, port, path string, statuses ...int) func(context.Context) error {
	return func(ctx context.Context) error {
		ca, err := os.ReadFile(dir.CA())
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: host}}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(topology.HostIP, port)+path, nil)
		if err != nil {
			return err
		}
		request.Host = net.JoinHostPort(host, port)
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if !slices.Contains(statuses, response.StatusCode) {
			return fmt.Errorf("%s answers %s", what, response.Status)
		}
		return nil
	}
}
