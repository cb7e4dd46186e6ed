package certificates

import (
	"crypto/x509"
	"fmt"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// longestForApple is the validity in days above which Apple's devices refuse a server's
// certificate of a company's own CA (https://support.apple.com/103769).
const longestForApple = 825

// judgePeriod says what is wrong with the time in which the server's certificate is valid.
func judgePeriod(c *x509.Certificate, a answers.Certificates, minDays int, now time.Time) *finding.Finding {
	expected := fmt.Sprintf("a server certificate that is valid until %s, at least %d days from now", a.ValidUntil, minDays)
	left := c.NotAfter.Sub(now)
	switch {
	case now.Before(c.NotBefore):
		return finding.Failed(expected, fmt.Sprintf("%s is not valid before %s", called(c), c.NotBefore.UTC().Format(time.RFC3339)),
			"it was issued for later, or the runner's clock is behind", "wait with its use, or have one issued that is valid now")
	case left <= 0:
		return finding.Failed(expected, fmt.Sprintf("%s expired on %s", called(c), day(c.NotAfter)), "it was not renewed: no browser connects any more",
			"renew it, and set certificates.validFrom and certificates.validUntil")
	case left < time.Duration(minDays)*24*time.Hour:
		return finding.Failed(expected, fmt.Sprintf("%s ends on %s, in %.0f days", called(c), day(c.NotAfter), left.Hours()/24), "it was not renewed yet: no browser connects from that day on",
			"renew it, and set certificates.validFrom and certificates.validUntil")
	case !a.ValidUntil.Includes(c.NotAfter):
		return finding.Failed(expected, called(c)+" ends on "+day(c.NotAfter), "the answer is out of date, or meant for another certificate", "set certificates.validUntil: "+day(c.NotAfter))
	case !a.ValidFrom.IsZero() && !a.ValidFrom.Includes(c.NotBefore):
		return finding.Failed("a server certificate that is valid from "+a.ValidFrom.String()+" on", called(c)+" is valid from "+day(c.NotBefore)+" on",
			"the answer is out of date, or meant for another certificate", "set certificates.validFrom: "+day(c.NotBefore))
	}
	return nil
}

// judgeSame says whether the server shows the certificate of the file.
func judgeSame(s served, leaf *x509.Certificate) *finding.Finding {
	shown := s.chain[0]
	if shown.Equal(leaf) {
		return nil
	}
	why, do := "the certificate was renewed, and the file is the old one", "name the file of the served certificate in "+bundleKey
	switch {
	case !sameNames(shown, leaf):
		why = "JupyterHub's Ingress uses another Secret than the one with the file's certificate, or the certificate was renewed with other names"
		do = "give the load balancer or ingress controller the file's certificate (the Ingress' TLS secret), or " + do
	case shown.NotBefore.Before(leaf.NotBefore):
		why, do = "the certificate was renewed, and the new one is not in use yet", "give the new one to the load balancer or ingress controller"
	}
	return finding.Failed("the certificate of the file, "+described(leaf), s.address+" shows "+described(shown), why, do)
}

// described tells certificates of one server apart.
func described(c *x509.Certificate) string {
	return fmt.Sprintf("%s, issued by %s, valid from %s to %s", identity(c), c.Issuer.CommonName, day(c.NotBefore), day(c.NotAfter))
}
