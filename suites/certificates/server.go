package certificates

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// judgeServer says what is wrong with the server's certificate itself: whose it is, what it is
// for, how strong it is, and whether it is the one that the answers describe. name is
// JupyterHub's.
func judgeServer(c *x509.Certificate, a answers.Certificates, name string) *finding.Finding {
	if selfSigned(c) {
		return finding.Failed("a server certificate of the company's CA", called(c)+" signed its own certificate", "it was made for a test, or by a tool's default",
			"have a certificate issued by the company's CA")
	}
	if name != "" {
		if err := c.VerifyHostname(name); err != nil {
			return wrongName(c, name)
		}
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return finding.Failed("a certificate for servers", "the extended key usage of "+called(c)+" does not include server authentication",
			"it was issued from a template for clients or users", "have it issued anew from a template for web servers")
	}
	if weak := weakness(c); weak != "" {
		return finding.Failed("a server certificate that browsers accept", called(c)+": "+weak, "it is from an old template or an old CA",
			"have it issued anew, with RSA of 2048 bits or more or ECDSA P-256, and SHA-256")
	}
	return judgeDetails(c, a)
}

// wrongName is the finding for a certificate that is not for the name. Only subject alternative
// names count (RFC 9525); a wildcard stands for one label.
func wrongName(c *x509.Certificate, name string) *finding.Finding {
	why := "it was issued for other names"
	switch {
	case len(namesOf(c)) == 0:
		why = "it has no subject alternative names, and nobody heeds the common name any more"
	case slices.ContainsFunc(c.DNSNames, func(san string) bool {
		_, parent, wildcard := strings.Cut(san, "*.")
		return wildcard && (parent == name || strings.HasSuffix(name, "."+parent))
	}):
		why = "a wildcard stands for exactly one label: *.example.com is not for a.b.example.com, and not for example.com"
	}
	return finding.Failed("a server certificate for "+name, fmt.Sprintf("%s is for %s", called(c), orNothing(namesOf(c))), why,
		"have a certificate issued with "+name+" among its subject alternative names")
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "no name"
	}
	return strings.Join(names, ", ")
}

// judgeDetails holds the certificate against what the answers say of it. What they leave out is
// not compared.
func judgeDetails(c *x509.Certificate, a answers.Certificates) *finding.Finding {
	const why = "the answer is out of date, or the file is of another certificate"
	if a.CommonName != "" && !strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(a.CommonName, "CN=")), c.Subject.CommonName) {
		return finding.Failed("common name "+a.CommonName, "common name "+c.Subject.CommonName, why, "correct certificates.commonName, or name the right file in "+bundleKey)
	}
	if a.SubjectAltNames != nil {
		if missing, besides := compareNames(a.SubjectAltNames, c); len(missing)+len(besides) > 0 {
			var found []string
			if len(missing) > 0 {
				found = append(found, "not in the certificate: "+strings.Join(missing, ", "))
			}
			if len(besides) > 0 {
				found = append(found, "in the certificate only: "+strings.Join(besides, ", "))
			}
			return finding.Failed("the subject alternative names "+orNothing(a.SubjectAltNames), strings.Join(found, "; "), why,
				"correct certificates.subjectAltNames, or have the certificate issued with them")
		}
	}
	if a.Issuer != "" && !isNamed(a.Issuer, c.Issuer) {
		return finding.Failed("issuer "+a.Issuer, "issuer "+distinguished(c.Issuer), why, "correct certificates.issuer, or have the certificate issued by that authority")
	}
	return nil
}

// isForAnother tells whether a certificate is not for the name.
func isForAnother(c *x509.Certificate, name string) bool {
	return errors.As(c.VerifyHostname(name), new(x509.HostnameError))
}

// isNamedIn tells whether a certificate has the name itself, and not only a wildcard for it.
func isNamedIn(c *x509.Certificate, name string) bool {
	return slices.ContainsFunc(namesOf(c), func(one string) bool { return strings.EqualFold(one, name) })
}

func sameNames(a, b *x509.Certificate) bool {
	missing, besides := compareNames(namesOf(a), b)
	return len(missing)+len(besides) == 0
}
