package ingress

import (
	"context"

	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/process"
)

const metallbNamespace = "metallb-system"

// Names of MetalLB's processes.
const (
	controller = "metallb-controller"
	speaker    = "metallb-speaker"
)

// startMetalLB starts the controller, which gives Services their addresses, and the speaker,
// which answers ARP for them. Speakers know of each other by a protocol of their own and find
// each other as pods, which these are not: there is one, which knows of itself.
func startMetalLB(ctx context.Context, supervisor process.Supervisor) error {
	dir := supervisor.Dir
	// In the node's network as well, because it listens on all addresses for its metrics.
	err := start(ctx, supervisor, controller, edge().Name, nil,
		dir.Bin("metallb-controller"), "--kubeconfig="+kubeconfigOf(dir, "metallb-controller"), "--namespace="+metallbNamespace,
		"--webhook-mode=disabled", "--disable-cert-rotation", "--port=7473")
	if err != nil {
		return err
	}
	return start(ctx, supervisor, speaker, edge().Name, nil,
		dir.Bin("metallb-speaker"), "--kubeconfig="+kubeconfigOf(dir, "metallb-speaker"), "--namespace="+metallbNamespace,
		"--node-name="+edge().Name, "--host=127.0.0.1", "--port=7472",
		"--ml-bindaddr="+edge().IP, "--ml-bindport=7946", "--ml-labels=component=speaker")
}

// start starts a process in a node's network.
func start(ctx context.Context, supervisor process.Supervisor, name, worker string, ready func(context.Context) error, command ...string) error {
	entered, err := node.Enter(supervisor, worker, command...)
	if err != nil {
		return err
	}
	return supervisor.Start(ctx, process.Spec{Name: name, Command: entered, Ready: ready})
}
