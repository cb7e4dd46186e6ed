package cluster

import (
	"context"
	"net/http"

	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// entraProcess is the name of the process that is Entra ID and Microsoft Graph.
const entraProcess = "entra"

// startEntra starts the simulated Entra ID, which needs nothing of the cluster.
func (l Lab) startEntra(ctx context.Context) error {
	return l.Say.Step("simulated Entra ID "+topology.LoginURL, func() error {
		return l.supervisor().Start(ctx, process.Spec{
			Name:    entraProcess,
			Command: []string{l.Dir.Bin("lab"), "serve", "entra"},
			Ready:   entraReady(l.Dir),
		})
	})
}

// entraReady asks for the tenant's signing keys.
func entraReady(dir state.Dir) func(context.Context) error {
	return serves(dir, "the simulated Entra ID", topology.LoginHost, topology.EntraPort,
		"/"+directory.TenantID+"/discovery/v2.0/keys", http.StatusOK)
}
