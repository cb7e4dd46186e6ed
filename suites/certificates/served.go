package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// lookLimit bounds a look at a server's certificate.
const lookLimit = 15 * time.Second

// served is what the load balancer shows under JupyterHub's name.
type served struct {
	address string
	chain   []*x509.Certificate
}

// addressOf is where users reach JupyterHub: the load balancer, or what the name resolves to
// where its address is not answered.
func addressOf(a *answers.File) string {
	if a.Ingress.VIP != "" {
		return net.JoinHostPort(a.Ingress.VIP, "443")
	}
	return net.JoinHostPort(a.DNS.Domain, "443")
}

// lookAt asks a server for its certificates and sends it nothing: whether they can be trusted is
// the question, so that they are not verified here.
func lookAt(ctx context.Context, address, name string) (served, *finding.Finding) {
	s := served{address: address}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10,
		// Called before the handshake is over: a server that wants a certificate of ours too still shows its own.
		VerifyConnection: func(state tls.ConnectionState) error {
			s.chain = state.PeerCertificates
			return nil
		},
	}}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		connection.Close()
	}
	if len(s.chain) > 0 {
		return s, nil
	}
	expected := address + " shows a certificate for " + name
	found := "nothing was shown"
	if err != nil {
		found = string(outbound.TroubleOf(err)) + ": " + err.Error()
	}
	return s, finding.NotDecided(expected, found, "the runner does not reach the load balancer, or nothing there speaks TLS yet",
		"see item 2.2.1: once users can connect, run it again").Because(err)
}

// look returns what the load balancer shows, and ends the check where that is no certificate of
// JupyterHub's: nothing can be said of it before there is an ingress. leaf is the file's, nil
// if there is none.
func look(ctx context.Context, leaf *x509.Certificate) served {
	check.Require("dns.domain")
	a := check.Answers()
	address, name := addressOf(a), a.DNS.Domain
	check.Step("look at the certificate of %s at %s", name, address)
	s, f := lookAt(ctx, address, name)
	if f != nil {
		check.NoError(f, "look at the served certificate")
	}
	check.Evidence("served at "+address, listed(s.chain))
	other := func() beside {
		check.Step("look at what a name that nobody made is shown at %s", address)
		b := lookBeside(ctx, address, name)
		check.Evidence("served at "+address+" to "+b.name, b.found)
		return b
	}
	if f := judgeForeign(s, leaf, name, other); f != nil {
		check.NoError(f, "look at the served certificate")
	}
	return s
}
