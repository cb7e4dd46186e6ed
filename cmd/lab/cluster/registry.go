package cluster

import (
	"context"
	"net/http"

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

// registryReady asks the registry's API. To be asked for credentials is an answer.
func registryReady(dir state.Dir) func(context.Context) error {
	return serves(dir, "the registry", topology.RegistryHost, topology.RegistryPort, "/v2/", http.StatusUnauthorized, http.StatusOK)
}
