package certificates

import (
	"crypto/x509"
	"fmt"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// judgeIntermediates says what is wrong with the file's certificates between the server's and
// the root's. known are the CA file's certificates.
func judgeIntermediates(b bundle, known []*x509.Certificate, now time.Time, minDays int) *finding.Finding {
	expected := "all certificates from the server's up to the root in " + b.path
	top := b.chain[len(b.chain)-1]
	roots := append(rootsIn(b.certificates), known...)
	if !selfSigned(top) && !contains(known, top) && issuerIn(roots, top) == nil {
		found := fmt.Sprintf("the chain ends at %s: the intermediate certificate of its issuer, %s, is not in the file", called(top), distinguished(top.Issuer))
		do := "add the issuer's certificate to the file"
		if len(top.IssuingCertificateURL) > 0 {
			do += "; the certificate says that it is at " + top.IssuingCertificateURL[0]
		}
		return finding.Failed(expected, found, "only the server's certificate was exported, or a certificate of another generation of the CA was added", do)
	}
	for _, c := range b.between() {
		if f := judgeAuthority(c, now, minDays); f != nil {
			return f
		}
	}
	if anchor := issuerIn(roots, top); anchor != nil && !selfSigned(top) {
		return chainsUp(append(b.chain[:len(b.chain):len(b.chain)], anchor))
	}
	return chainsUp(b.chain)
}

// between are the file's certificates between the server's and the root's.
func (b bundle) between() []*x509.Certificate {
	last := len(b.chain)
	if last > 1 && selfSigned(b.chain[last-1]) {
		last--
	}
	return b.chain[1:last]
}

// disorder says what is unusual about the order of the file, "" for nothing. A PFX file has no
// order.
func (b bundle) disorder() string {
	if b.kind == inPFX {
		return ""
	}
	for i, c := range b.certificates {
		switch {
		case !contains(b.chain, c):
			return called(c) + " does not belong to the chain"
		case i >= len(b.chain) || contains(b.certificates[:i], c):
			return called(c) + " is there twice"
		case !c.Equal(b.chain[i]):
			return "the order is " + listed(b.certificates)
		}
	}
	return ""
}

// judgeServed says what is wrong with the chain that the server sends. handed are the file's
// certificates, which tell what the server could send, and known the CA file's.
func judgeServed(s served, handed, known []*x509.Certificate) *finding.Finding {
	leaf := s.chain[0]
	path := pathOf(leaf, s.chain[1:])
	top := path[len(path)-1]
	expected := s.address + " sends its certificate, and then each one that signed the one before it"
	if !selfSigned(top) && !contains(known, top) && issuerIn(append(rootsIn(handed), known...), top) == nil {
		found := fmt.Sprintf("it sends %s, and not the intermediate certificate of %s, which signed %s", listed(s.chain), distinguished(top.Issuer), called(top))
		why := "the server was given its own certificate only"
		if issuerIn(handed, top) == nil {
			why = "the server was given a certificate without its chain, and nobody provided the rest"
		}
		return finding.Failed(expected, found, why+": browsers that happen to know the missing one still connect, pods and programs do not",
			"give the load balancer or ingress controller (the TLS secret's tls.crt) the server's certificate followed by all intermediates")
	}
	for i, c := range s.chain[1:] {
		if !issued(c, s.chain[i]) {
			return finding.Failed(expected, fmt.Sprintf("it sends %s: the order is wrong, or one does not belong there (%s did not sign %s)", listed(s.chain), called(c), called(s.chain[i])),
				"the certificates were put together in another order: some clients accept that (RFC 8446, 4.4.2), older ones do not",
				"put the server's certificate first in the served file, and after each one that of its issuer")
		}
	}
	return nil
}
