package cluster

import (
	"context"

	"aiv.internal/conformance/cmd/lab/dns"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// startDNS starts the company's DNS servers, which need nothing of the cluster.
func (l Lab) startDNS(ctx context.Context) error {
	return l.Say.Step("company DNS "+topology.DNSServer1+" and "+topology.DNSServer2, func() error {
		return dns.Start(ctx, l.supervisor())
	})
}

// domainKnown says whether pods resolve the company's names.
func domainKnown(ctx context.Context, _ *seed.Cluster) error { return dns.ReadyForPods(ctx) }
