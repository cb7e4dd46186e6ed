// Package controlplane runs etcd, the API server, the controller manager and the scheduler
// on the host, at the address of the lab's bridge.
package controlplane

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"aiv.internal/conformance/cmd/lab/kubeconfig"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Names of the control plane's processes.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// etcd answers on loopback only, without credentials: nothing but the API server asks it.
const (
	etcdClient = "http://127.0.0.1:2379"
	etcdPeer   = "http://127.0.0.1:2380"
)

// Start starts whatever does not run yet and returns when the API server is ready.
func Start(ctx context.Context, supervisor process.Supervisor) error {
	dir := supervisor.Dir
	// The API server waits for etcd by itself, so both start at once.
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return supervisor.Start(inner, etcd(dir)) })
	group.Go(func() error { return supervisor.Start(inner, apiServer(dir)) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := supervisor.Start(ctx, controllerManager(dir)); err != nil {
		return err
	}
	return supervisor.Start(ctx, scheduler(dir))
}

func etcd(dir state.Dir) process.Spec {
	return process.Spec{Name: Etcd, Command: []string{
		dir.Bin("etcd"),
		"--name=lab",
		"--data-dir=" + dir.Path("etcd"),
		"--listen-client-urls=" + etcdClient,
		"--advertise-client-urls=" + etcdClient,
		"--listen-peer-urls=" + etcdPeer,
		"--initial-advertise-peer-urls=" + etcdPeer,
		"--initial-cluster=lab=" + etcdPeer,
		// A lab whose machine died is made anew, so nothing need reach the disk.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}}
}

func apiServer(dir state.Dir) process.Spec {
	certificate := func(name string) string { return dir.PKI(name) + ".crt" }
	key := func(name string) string { return dir.PKI(name) + ".key" }
	return process.Spec{Name: APIServer, Ready: ready(dir), Command: []string{
		dir.Bin("kube-apiserver"),
		// It refuses to advertise a loopback address.
		"--advertise-address=" + topology.HostIP,
		"--bind-address=" + topology.HostIP,
		"--secure-port=6443",
		"--etcd-servers=" + etcdClient,
		"--service-cluster-ip-range=" + topology.ServiceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc." + topology.ClusterDomain,
		"--service-account-key-file=" + certificate(pki.ServiceAccountKey),
		"--service-account-signing-key-file=" + key(pki.ServiceAccountKey),
		"--client-ca-file=" + certificate(pki.ClusterCA),
		"--tls-cert-file=" + certificate(pki.APIServer),
		"--tls-private-key-file=" + key(pki.APIServer),
		"--kubelet-client-certificate=" + certificate(pki.KubeletClient),
		"--kubelet-client-key=" + key(pki.KubeletClient),
		"--kubelet-certificate-authority=" + certificate(pki.ClusterCA),
		// Nobody here resolves the nodes' names.
		"--kubelet-preferred-address-types=InternalIP",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--profiling=false",
	}}
}

func controllerManager(dir state.Dir) process.Spec {
	config := kubeconfig.Component(dir, pki.ControllerManager)
	return process.Spec{Name: ControllerManager, Command: []string{
		dir.Bin("kube-controller-manager"),
		"--kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + dir.PKI(pki.ServiceAccountKey) + ".key",
		"--root-ca-file=" + dir.PKI(pki.ClusterCA) + ".crt",
		"--cluster-signing-cert-file=" + dir.PKI(pki.ClusterCA) + ".crt",
		"--cluster-signing-key-file=" + dir.PKI(pki.ClusterCA) + ".key",
		// Four missed leases: quick enough for a test, slow enough for a busy machine.
		"--node-monitor-period=2s",
		"--node-monitor-grace-period=20s",
		// The default is a folder of the host, which it would make.
		"--flex-volume-plugin-dir=" + dir.Run("flexvolumes"),
		// At the default rate the service accounts of its own controllers take seconds.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--profiling=false",
	}}
}

func scheduler(dir state.Dir) process.Spec {
	return process.Spec{Name: Scheduler, Command: []string{
		dir.Bin("kube-scheduler"),
		"--kubeconfig=" + kubeconfig.Component(dir, pki.Scheduler),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--profiling=false",
	}}
}

// AdminConfig returns the client configuration of the cluster's administrator, without a
// rate limit of its own.
func AdminConfig(dir state.Dir) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", dir.AdminKubeconfig())
	if err != nil {
		return nil, fmt.Errorf("%w: is the lab up? run `lab status`", err)
	}
	config.QPS = -1
	config.UserAgent = "aiv-lab"
	return config, nil
}

// ready asks the API server's own readiness check.
func ready(dir state.Dir) func(context.Context) error {
	return func(ctx context.Context) error {
		config, err := AdminConfig(dir)
		if err != nil {
			return err
		}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, topology.APIServer+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 512))
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", response.Status, body)
		}
		return err
	}
}

// Ready asks the API server whether it is ready.
func Ready(ctx context.Context, dir state.Dir) error { return ready(dir)(ctx) }
