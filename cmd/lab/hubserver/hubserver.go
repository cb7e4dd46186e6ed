// Package hubserver knows who shows JupyterHub's certificate to users, so that a change of its
// files takes effect.
package hubserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/cmd/lab/controlplane"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Names of the processes that end TLS: nginx stands for a load balancer which does, in a core
// lab, and Traefik is the ingress controller of a full one.
const (
	NGINX   = "nginx"
	Traefik = "traefik"
)

// Secret is the name of the Secret with the certificate, in the load balancer's namespace. Only
// a full lab has it.
const Secret = "jupyterhub-tls"

// reloadDeadline is for a reload that takes a second.
const reloadDeadline = 20 * time.Second

// Running are the processes that may show the certificate and run now.
func Running(supervisor process.Supervisor) []string {
	return slices.DeleteFunc([]string{NGINX, Traefik}, func(name string) bool {
		_, running := supervisor.Find(name)
		return !running
	})
}

// Reload makes what listens at the VIP read the certificate and key of pki.HubServer anew, and
// returns when it shows them.
func Reload(ctx context.Context, supervisor process.Supervisor) error {
	for _, name := range Running(supervisor) {
		if err := Reread(ctx, supervisor, name); err != nil {
			return fmt.Errorf("reload %s: %w", name, err)
		}
	}
	if supervisor.Dir.Full() {
		config, err := controlplane.AdminConfig(supervisor.Dir)
		if err != nil {
			return err
		}
		cluster, err := seed.Connect(config)
		if err != nil {
			return err
		}
		if err := ApplySecret(ctx, cluster, supervisor.Dir); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, reloadDeadline)
	defer cancel()
	return process.Until(ctx, func(ctx context.Context) error { return Shows(ctx, supervisor.Dir) })
}

// stopGrace is how long a server may take to end before it is killed.
const stopGrace = 5 * time.Second

// Reread makes one of the servers read its configuration anew. NGINX is started again, because
// it runs as one process, which does not outlive a reload.
func Reread(ctx context.Context, supervisor process.Supervisor, name string) error {
	server, running := supervisor.Find(name)
	switch {
	case !running:
		return nil
	case name == Traefik:
		return syscall.Kill(server.PID, syscall.SIGHUP)
	}
	if err := supervisor.Stop(name, stopGrace); err != nil {
		return err
	}
	return supervisor.Start(ctx, process.Spec{Name: name, Command: server.Command})
}

// ApplySecret stores the certificate and key for the Gateway, which takes them from a Secret.
func ApplySecret(ctx context.Context, cluster *seed.Cluster, dir state.Dir) error {
	pair, err := read(dir)
	if err != nil {
		return err
	}
	content, err := json.Marshal(corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: Secret, Namespace: topology.IngressNamespace},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: pair.Certificate, corev1.TLSPrivateKeyKey: pair.Key},
	})
	if err != nil {
		return err
	}
	return cluster.Apply(ctx, topology.IngressNamespace, content)
}

// Shows returns nil where the VIP's server sends exactly the chain of pki.HubServer.
func Shows(ctx context.Context, dir state.Dir) error {
	return ShowsAt(ctx, dir, net.JoinHostPort(topology.VIP, "443"))
}

// ShowsAt returns nil where the server at the address does.
func ShowsAt(ctx context.Context, dir state.Dir, address string) error {
	pair, err := tls.LoadX509KeyPair(dir.PKI(pki.HubServer)+".crt", dir.PKI(pki.HubServer)+".key")
	if err != nil {
		return err
	}
	// Whether the chain can be trusted is not asked here: faults serve bad ones.
	dialer := tls.Dialer{Config: &tls.Config{ServerName: topology.HubHost, InsecureSkipVerify: true}}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	shown := connection.(*tls.Conn).ConnectionState().PeerCertificates
	if len(shown) != len(pair.Certificate) {
		return fmt.Errorf("%s shows %d certificates, not %d", address, len(shown), len(pair.Certificate))
	}
	for i := range shown {
		if !bytes.Equal(shown[i].Raw, pair.Certificate[i]) {
			return errors.New(address + " shows another certificate")
		}
	}
	return nil
}

// read returns the certificate and key that are served.
func read(dir state.Dir) (pki.Pair, error) {
	path := dir.PKI(pki.HubServer)
	certificate, err := os.ReadFile(path + ".crt")
	if err != nil {
		return pki.Pair{}, err
	}
	key, err := os.ReadFile(path + ".key")
	return pki.Pair{Certificate: certificate, Key: key}, err
}
