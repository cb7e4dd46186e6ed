package certificates

import (
	"crypto/x509"
	"fmt"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// judgeRoot says what is wrong with the root certificate in the file. known are the CA file's
// certificates, none where it could not be read.
func judgeRoot(b bundle, known []*x509.Certificate, now time.Time, minDays int) *finding.Finding {
	expected := "the root CA's certificate in " + b.path
	root := b.chain[len(b.chain)-1]
	if roots := rootsIn(b.certificates); !selfSigned(root) {
		if len(roots) == 0 {
			return finding.Failed(expected, fmt.Sprintf("none of its %d certificates is a root's: the chain ends at %s, which %s signed", len(b.certificates), called(root), distinguished(root.Issuer)),
				"servers do not need to send the root, so that it is often left out", "add the root CA's certificate to the file")
		}
		root = roots[0]
	}
	if f := judgeAuthority(root, now, minDays); f != nil {
		return f
	}
	if len(known) > 0 && !contains(known, root) && !anyContains(known, b.chain) {
		return finding.Failed(expected, fmt.Sprintf("%s, which is not among the certificates of certificates.caFile: %s", identity(root), identities(known)),
			"the server certificate was issued by another CA than the one that was provided, or by another generation of it",
			"provide the CA certificate that goes with the server certificate, or have that one issued by the provided CA")
	}
	return nil
}

func anyContains(pool, certificates []*x509.Certificate) bool {
	for _, c := range certificates {
		if contains(pool, c) {
			return true
		}
	}
	return false
}

// identity tells certificates of the same name apart.
func identity(c *x509.Certificate) string {
	return fmt.Sprintf("%s (serial number %x)", called(c), c.SerialNumber)
}

func identities(certificates []*x509.Certificate) string {
	text := ""
	for i, c := range certificates {
		if i > 0 {
			text += ", "
		}
		text += identity(c)
	}
	return text
}
