package cluster

import (
	"context"
	"fmt"

	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/ingress"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// startIngress starts the load balancer and what ends TLS behind it, and waits until users
// would reach it.
func (l Lab) startIngress(ctx context.Context, cluster *seed.Cluster) error {
	behind := "nginx"
	if l.Dir.Full() {
		behind = "Traefik"
	}
	return l.Say.Step(fmt.Sprintf("MetalLB with %s for %s, and %s behind it", topology.VIP, topology.HubHost, behind), func() error {
		// With a fault the Service may lead elsewhere on purpose.
		if len(faults.Active(l.Dir)) > 0 {
			return ingress.Restart(ctx, l.supervisor())
		}
		if err := ingress.Start(ctx, l.supervisor(), cluster); err != nil {
			return err
		}
		return process.Until(ctx, func(ctx context.Context) error { return ingress.Ready(ctx, l.Dir) })
	})
}
