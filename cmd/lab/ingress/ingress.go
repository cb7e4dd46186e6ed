// Package ingress runs what stands between users and JupyterHub: MetalLB, which gives the
// load balancer's Service its address and answers for it on the bridge, and behind it either
// Debian's nginx, as a company's load balancer that ends TLS, or, in a full lab, Traefik, as the
// cluster's ingress controller.
//
// MetalLB and Traefik run as processes and not in pods, in the network of one node, which is
// the one that users come in by; each has a service account of its own.
package ingress

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"path/filepath"
	"text/template"

	"golang.org/x/sync/errgroup"

	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// Processes are the names of the processes that Start starts.
func Processes(full bool) []string {
	return []string{controller, speaker, server(full)}
}

// server is the process that users' connections end in.
func server(full bool) string {
	if full {
		return hubserver.Traefik
	}
	return hubserver.NGINX
}

// edge is the node that users come in by.
func edge() topology.Node { return topology.Nodes()[0] }

// Seed applies the definitions, rights and objects that the processes need.
func Seed(ctx context.Context, cluster *seed.Cluster, dir state.Dir) error {
	if err := cluster.ApplyFiles(ctx, "", dir.Bin("metallb-crd")); err != nil {
		return err
	}
	if err := apply(ctx, cluster, "metallb.yaml"); err != nil {
		return err
	}
	for _, account := range []string{"controller", "speaker"} {
		if err := cluster.AccountKubeconfig(ctx, dir, metallbNamespace, account, kubeconfigOf(dir, "metallb-"+account)); err != nil {
			return err
		}
	}
	if !dir.Full() {
		return nil
	}
	for _, definitions := range []string{"gateway-crd", "traefik-crd"} {
		if err := cluster.ApplyFiles(ctx, "", dir.Bin(definitions)); err != nil {
			return err
		}
	}
	if err := hubserver.ApplySecret(ctx, cluster, dir); err != nil {
		return err
	}
	if err := apply(ctx, cluster, "traefik.yaml"); err != nil {
		return err
	}
	return cluster.AccountKubeconfig(ctx, dir, topology.IngressNamespace, "traefik", kubeconfigOf(dir, "traefik"))
}

func kubeconfigOf(dir state.Dir, account string) string { return dir.PKI(account + ".kubeconfig") }

func apply(ctx context.Context, cluster *seed.Cluster, name string) error {
	content, err := render(name)
	if err != nil {
		return err
	}
	return cluster.Apply(ctx, "", content)
}

func render(name string) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(manifests, filepath.Join("manifests", name))
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	err = parsed.Execute(&content, map[string]string{
		"VIPRange": topology.VIPRange, "Namespace": topology.IngressNamespace,
		"Edge": edge().Name, "IngressClass": topology.IngressClass, "Gateway": topology.Gateway, "Certificate": hubserver.Secret,
	})
	return content.Bytes(), err
}

// Restart starts what does not run, and leaves the load balancer's Service as it is.
func Restart(ctx context.Context, supervisor process.Supervisor) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return startMetalLB(ctx, supervisor) })
	group.Go(func() error {
		if supervisor.Dir.Full() {
			return startTraefik(ctx, supervisor)
		}
		return startNGINX(ctx, supervisor)
	})
	return group.Wait()
}

// Start starts everything and points the load balancer's Service to it, after Seed. What the
// other tier had in its place is stopped.
func Start(ctx context.Context, supervisor process.Supervisor, cluster *seed.Cluster) error {
	if err := Restart(ctx, supervisor); err != nil {
		return err
	}
	full := supervisor.Dir.Full()
	if err := Publish(ctx, cluster, Own(full)); err != nil {
		return err
	}
	return supervisor.Stop(server(!full), stopGrace)
}

// Ready returns nil where the VIP shows JupyterHub's certificate.
func Ready(ctx context.Context, dir state.Dir) error {
	if err := hubserver.Shows(ctx, dir); err != nil {
		return fmt.Errorf("load balancer %s: %w", topology.VIP, err)
	}
	return nil
}
