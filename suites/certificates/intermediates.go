package certificates

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// judgeIntermediates says what is wrong with the file's certificates between the server's and
// the root's. known are the CA file's certificates. What else the file holds harms nobody.
func judgeIntermediates(b bundle, known []*x509.Certificate, now time.Time, minDays int) *finding.Finding {
	expected := "all certificates from the server's up to the root in " + b.path
	roots := append(rootsIn(b.certificates), known...)
	chain := wayTo(roots, b.leaf, b.certificates, now)
	if chain == nil {
		top := b.chain[len(b.chain)-1]
		found := fmt.Sprintf("the chain ends at %s: the intermediate certificate of its issuer, %s, is not in the file", called(top), distinguished(top.Issuer))
		do := "add the issuer's certificate to the file"
		if len(top.IssuingCertificateURL) > 0 {
			do += "; the certificate says that it is at " + top.IssuingCertificateURL[0]
		}
		return finding.Failed(expected, found, "only the server's certificate was exported, or a certificate of another generation of the CA was added", do)
	}
	if top := chain[len(chain)-1]; !selfSigned(top) {
		chain = append(chain, issuerIn(validFirst(roots, now), top))
	}
	for _, c := range between(chain) {
		if f := judgeAuthority(c, now, minDays); f != nil {
			return f
		}
	}
	return chainsUp(chain)
}

// between are the certificates of a chain between the server's and the root's.
func between(chain []*x509.Certificate) []*x509.Certificate {
	last := len(chain)
	if last > 1 && selfSigned(chain[last-1]) {
		last--
	}
	return chain[1:last]
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
			return dated(c) + " does not belong to the chain"
		case i >= len(b.chain) || contains(b.certificates[:i], c):
			return called(c) + " is there twice"
		case !c.Equal(b.chain[i]):
			return "the order is " + listed(b.certificates)
		}
	}
	return ""
}

// judgeServed says what is wrong with the chain that the server sends, and what of it nobody
// needs. handed are the file's certificates, which tell what the server could send, and known the
// CA file's.
func judgeServed(s served, handed, known []*x509.Certificate, now time.Time, minDays int) (superfluous []string, f *finding.Finding) {
	leaf, others := s.chain[0], s.chain[1:]
	expected := s.address + " sends its certificate, and then each one that signed the one before it"
	needed := wayTo(append(rootsIn(handed), known...), leaf, others, now)
	if needed == nil {
		path := pathOf(leaf, others)
		top := path[len(path)-1]
		found := fmt.Sprintf("it sends %s, and not the intermediate certificate of %s, which signed %s", listed(s.chain), distinguished(top.Issuer), called(top))
		why := "the server was given its own certificate only"
		if issuerIn(handed, top) == nil {
			why = "the server was given a certificate without its chain, and nobody provided the rest"
		}
		return nil, finding.Failed(expected, found, why+": browsers that happen to know the missing one still connect, pods and programs do not",
			"give the load balancer or ingress controller (the TLS secret's tls.crt) the server's certificate followed by all intermediates")
	}
	for i, c := range between(needed) {
		if f := judgeAuthority(c, now, minDays); f != nil {
			f.Found = s.address + " sends an intermediate certificate that will not do: " + f.Found
			if better := issuerIn(validAt(handed, now), needed[i]); better != nil && better.NotAfter.After(c.NotAfter) {
				f.Why = "the authority was renewed, and the server was not given its new certificate"
				f.Do = "put the file's " + dated(better) + " in its place in what the load balancer or ingress controller serves (the TLS secret's tls.crt)"
			}
			return nil, f
		}
	}
	// A root, or the certificate that another authority gave it, may follow what is needed.
	above := slices.DeleteFunc(slices.Clone(others), func(c *x509.Certificate) bool { return contains(needed, c) })
	chain := append(needed[:len(needed):len(needed)], pathOf(needed[len(needed)-1], validFirst(above, now))[1:]...)
	next := 0
	for i, c := range s.chain {
		switch {
		case next < len(chain) && c.Equal(chain[next]):
			next++
		case next < len(needed) && contains(chain[next:], c):
			return nil, finding.Failed(expected, fmt.Sprintf("it sends %s: the order is wrong, %s must come before %s", listed(s.chain), called(chain[next]), called(c)),
				"the certificates were put together in another order: some clients accept that (RFC 8446, 4.4.2), older ones do not",
				"put the server's certificate first in the served file, and after each one that of its issuer")
		case contains(s.chain[:i], c):
			superfluous = append(superfluous, dated(c)+" twice")
		default:
			superfluous = append(superfluous, dated(c)+" for nothing")
		}
	}
	return superfluous, nil
}
