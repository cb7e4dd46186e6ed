package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// registryProcess is the name of the registry's process.
const registryProcess = "registry"

// startRegistry starts the registry, which needs nothing of the cluster.
func (l Lab) startRegistry(ctx context.Context) error {
	return l.Say.Step("registry "+topology.Registry, func() error {
		return l.supervisor().Start(ctx, process.Spec{
			Name:    registryProcess,
			Command: []string{l.Dir.Bin("lab"), "serve", "registry"},
			Ready:   registryReady(l.Dir),
		})
	})
}

// registryReady asks the registry's API over verified TLS. To be asked for credentials is an
// answer.
func registryReady(dir state.Dir) func(context.Context) error {
	return func(ctx context.Context) error {
		ca, err := os.ReadFile(dir.CA())
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: topology.RegistryHost}}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+topology.HostIP+":"+topology.RegistryPort+"/v2/", nil)
		if err != nil {
			return err
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusOK {
			return fmt.Errorf("the registry answers %s", response.Status)
		}
		return nil
	}
}
