package certificates

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// judgeAuthority says why a certificate cannot sign those below it now, nil if it can.
func judgeAuthority(c *x509.Certificate, now time.Time, minDays int) *finding.Finding {
	expected := "a certificate of an authority that is valid: " + called(c)
	switch {
	case !isAuthority(c):
		return finding.Failed(expected, called(c)+" does not say CA:TRUE in its basic constraints", "it is no authority's certificate, or from an old CA", "have the authority's certificate exported anew")
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return finding.Failed(expected, "the key usage of "+called(c)+" does not include signing certificates", "it was issued from a wrong template", "ask the owners of the CA")
	case now.Before(c.NotBefore):
		return finding.Failed(expected, fmt.Sprintf("%s is not valid before %s", called(c), day(c.NotBefore)), "it was issued for later, or the runner's clock is behind", "wait, or use the authority's present certificate")
	case now.After(c.NotAfter):
		return finding.Failed(expected, fmt.Sprintf("%s expired on %s", called(c), day(c.NotAfter)), "the authority has a newer certificate, or is no more", "have the chain issued anew")
	case c.NotAfter.Sub(now) < time.Duration(minDays)*24*time.Hour:
		return finding.Failed(fmt.Sprintf("%s, at least %d days from now", expected, minDays), fmt.Sprintf("%s ends on %s, in %.0f days", called(c), day(c.NotAfter), c.NotAfter.Sub(now).Hours()/24),
			"the authority is renewed too late: what it signed ends with it", "ask the owners of the CA for its next certificate")
	}
	if weak := weakness(c); weak != "" {
		return finding.Failed(expected, called(c)+": "+weak, "the authority is an old one", "have the server certificate issued by a present authority")
	}
	return nil
}

// chainsUp verifies a chain with the library's own rules (path lengths, name constraints, key
// usages), at a moment at which all its certificates are valid: their dates are judged apart.
// The last of the chain is taken for trusted.
func chainsUp(chain []*x509.Certificate) *finding.Finding {
	from, until := chain[0].NotBefore, chain[0].NotAfter
	for _, c := range chain {
		if weakSignature(c) != "" {
			return nil // that is another finding, and it would hide what else is wrong
		}
		if c.NotBefore.After(from) {
			from = c.NotBefore
		}
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	if !from.Before(until) {
		return nil // then one of them is not valid now, which is another finding
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: poolOf(chain[len(chain)-1:]), Intermediates: poolOf(chain[1:]), CurrentTime: from.Add(until.Sub(from) / 2),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err == nil {
		return nil
	}
	var invalid x509.CertificateInvalidError
	found := "the chain of " + called(chain[0]) + " does not verify: " + err.Error()
	if errors.As(err, &invalid) && invalid.Cert != nil {
		found += " (" + called(invalid.Cert) + ")"
	}
	return finding.Failed("a chain in which each certificate is allowed to sign the one before it", found,
		"an authority signed what it must not: too deep a chain, or a name outside its constraints", "have the certificate issued by an authority that may")
}
