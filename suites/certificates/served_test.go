package certificates

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"crypto/x509"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

func asFinding(err error) *finding.Finding { return finding.As(err) }

// serve listens with a chain and returns its address.
func serve(t *testing.T, leaf *pair, config *tls.Config, chain ...*x509.Certificate) string {
	t.Helper()
	own := tls.Certificate{PrivateKey: leaf.key, Certificate: [][]byte{leaf.Raw}}
	for _, c := range chain {
		own.Certificate = append(own.Certificate, c.Raw)
	}
	config.Certificates = []tls.Certificate{own}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, connection)
				connection.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func TestLookAt(t *testing.T) {
	c := newCompany(t)
	for name, config := range map[string]*tls.Config{
		"plain":                          {},
		"TLS 1.2":                        {MaxVersion: tls.VersionTLS12},
		"wants a certificate":            {ClientAuth: tls.RequireAnyClientCert},
		"wants a certificate in TLS 1.2": {ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12},
	} {
		address := serve(t, c.leaf, config, certificatesOf(c.issuing, c.policy)...)
		s, f := lookAt(t.Context(), address, hub)
		if f != nil || len(s.chain) != 3 || !s.chain[0].Equal(c.leaf.Certificate) {
			t.Errorf("%s: %v, %d certificates", name, f, len(s.chain))
		}
	}
	// The TLS of a stack that knows nothing of our name, and a server that speaks no TLS at all.
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			connection, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = connection.Write([]byte("220 smtp\r\n"))
			connection.Close()
		}
	}()
	_, f := lookAt(t.Context(), plain.Addr().String(), hub)
	says(t, "no TLS", asError(f), "no TLS", "see item 2.2.1")
	plain.Close()
	_, f = lookAt(t.Context(), plain.Addr().String(), hub)
	says(t, "closed", asError(f), "connection refused")
	if !f.Undecided {
		t.Error("an address that is not reached decides")
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, f = lookAt(stopped, plain.Addr().String(), hub)
	says(t, "stopped", asError(f), "interrupted")
}

func TestAddress(t *testing.T) {
	a := &answers.File{}
	a.DNS.Domain = hub
	if got := addressOf(a); got != hub+":443" {
		t.Error(got)
	}
	a.Ingress.VIP = "fd00::1"
	if got := addressOf(a); got != "[fd00::1]:443" {
		t.Error(got)
	}
}

// What a pod meets with, by the probe's own words.
func TestPods(t *testing.T) {
	good := issueNow(t)
	address := serve(t, good.leaf, &tls.Config{}, certificatesOf(good.issuing)...)
	from := func(authorities ...*pair) probe.Connection {
		return probe.TLS(t.Context(), address, probe.ConnectOptions{ServerName: hub, CAs: encoded(certificatesOf(authorities...))})
	}
	says(t, "accepted", judgePod(from(good.root), "x"))
	err := judgePod(from(newCompany(t).root), "x")
	says(t, "another CA", err, "certificate of CN="+hub, "inspects TLS")
	if asFinding(err).Undecided {
		t.Error("a certificate that a pod does not accept decides nothing")
	}
	closed := probe.TLS(t.Context(), "127.0.0.1:1", probe.ConnectOptions{ServerName: hub})
	err = judgePod(closed, "x")
	says(t, "closed", err, "connection refused")
	if !asFinding(err).Undecided {
		t.Error("a pod that reaches nothing decides")
	}
}
