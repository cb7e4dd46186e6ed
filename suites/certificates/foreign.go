package certificates

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"aiv.internal/conformance/framework/finding"
)

// beside is what an address shows under a name next to JupyterHub's that nobody made: a default
// certificate, or none.
type beside struct {
	name string
	// shown is nil where nothing was shown.
	shown *x509.Certificate
	// refused is true where the server speaks TLS and has nothing for the name.
	refused bool
	// found says either in words.
	found string
}

// lookBeside looks at the address under a name that nobody can have made.
func lookBeside(ctx context.Context, address, name string) beside {
	_, parent, _ := strings.Cut(name, ".")
	b := beside{name: "conformance-" + utilrand.String(12) + "." + parent}
	s, f := lookAt(ctx, address, b.name)
	if f != nil {
		b.refused, b.found = alerted(f), f.Found
		return b
	}
	b.shown, b.found = s.chain[0], listed(s.chain)
	return b
}

// alerted tells whether the other side ended the handshake by an alert of TLS, as servers do that
// have no certificate for a name (RFC 6066, 3).
func alerted(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error"
}

// judgeForeign returns a finding for a certificate that is neither the file's nor for the name.
// One that stands for the name by a wildcard only, and for other names than the file's, is no
// other generation of that one: the company's default certificate may be like that. It is one if
// look finds it under another name too; else it is in use for this name, and is judged. Of a certificate for other
// names that cannot be told: some ingress controllers make a default one in each of their pods.
func judgeForeign(s served, leaf *x509.Certificate, name string, look func() beside) *finding.Finding {
	shown := s.chain[0]
	if leaf != nil && shown.Equal(leaf) {
		return nil
	}
	stranger := isForAnother(shown, name)
	if !stranger && (leaf == nil || isNamedIn(shown, name) || sameNames(shown, leaf)) {
		return nil
	}
	other := look()
	why := "either there is no Ingress for " + name + " yet and this is the default certificate of the load balancer or ingress controller, or its Ingress uses another Secret than the file's"
	do := "run it again once JupyterHub's Ingress is there, and give that one a TLS secret with the file's certificate"
	switch {
	case other.shown != nil && other.shown.Equal(shown):
		why = "a name that nobody made, " + other.name + ", is shown the same, as it is with a default certificate of the load balancer or ingress controller: there is no Ingress for " + name + " yet, or the one there is uses this certificate too"
		do += ", or make the file's certificate the default one"
	case !stranger && (other.shown != nil || other.refused):
		return nil
	}
	return finding.NotDecided(s.address+" shows the certificate of "+name, "it shows the one of "+called(shown)+", for "+orNothing(namesOf(shown)), why, do)
}
