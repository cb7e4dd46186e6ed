package certificates

import (
	"fmt"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

const formatKey = "certificates.format"

// formatOf is the answer that fits what a file is.
func formatOf(k kind) answers.CertificateFormat {
	switch k {
	case inPEM:
		return answers.PEM
	case inPFX:
		return answers.PFX
	}
	return answers.OtherCertificates
}

// readable tells whether certificates are read from such files.
func (k kind) readable() bool { return k == inPEM || k == inPFX || k == inPKCS7 || k == inDER }

// judgeFormat holds what the file is against the answered format. unread is what kept it from
// being read, nil for nothing.
func judgeFormat(b bundle, answered answers.CertificateFormat, unread *problem) error {
	expected := fmt.Sprintf("%s in the answered format, %s", b.path, answered)
	if b.kind.readable() && formatOf(b.kind) != answered {
		do := fmt.Sprintf("set %s: %s, or have it converted", formatKey, formatOf(b.kind))
		if b.kind == inPFX {
			do = "set " + formatKey + ": pfx, and " + passwordKey + ", or have it converted (openssl pkcs12)"
		}
		return finding.Failed(expected, "by its content it is "+string(b.kind), "the file's name says something else than its content, or the answer is meant for another file", do)
	}
	if unread != nil && unread.item == "3.1.3.1" && b.kind.readable() {
		return nil // it is of the format, whatever it lacks
	}
	return unread.problemFor("3.1.2", expected)
}
