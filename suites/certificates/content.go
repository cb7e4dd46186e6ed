package certificates

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/finding"
)

// kind is what a certificate file is by its content, whatever its name says.
type kind string

const (
	inPEM       kind = "PEM"
	inPFX       kind = "PFX (PKCS #12)"
	inPKCS7     kind = "PKCS #7 (.p7b)"
	inDER       kind = "DER, the binary form of a certificate"
	keyInDER    kind = "a private key in DER"
	inKeystore  kind = "a Java keystore (JKS)"
	inUTF16     kind = "text in UTF-16"
	inBase64    kind = "base64 without the lines BEGIN and END of PEM"
	isEmpty     kind = "empty"
	unknownKind kind = "no certificate file of a known format"
)

// content is what a certificate file holds.
type content struct {
	kind kind
	// certificates are in the order of the file.
	certificates []*x509.Certificate
	// key is that of a PFX file.
	key crypto.Signer
	// openKeys are private keys that lie beside certificates in PEM.
	openKeys int
}

// The beginnings that tell files apart.
var (
	byteOrderMark = []byte("\xef\xbb\xbf")
	pemBegin      = []byte("-----BEGIN ")
	keystoreMagic = []byte{0xfe, 0xed, 0xfe, 0xed}
)

// kindOf tells what a file is.
func kindOf(text []byte) kind {
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return isEmpty
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}), bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		return inUTF16
	case bytes.HasPrefix(text, keystoreMagic):
		return inKeystore
	case bytes.Contains(text, []byte("-----BEGIN PKCS7-----")):
		return inPKCS7
	case bytes.Contains(text, pemBegin):
		return inPEM
	case text[0] == derSequence:
		return kindOfDER(text)
	case isBase64(text):
		return inBase64
	}
	return unknownKind
}

// The tags of ASN.1 (ITU-T X.690) that the binary formats begin with.
const (
	derInteger  = 0x02
	derObjectID = 0x06
	derSequence = 0x30
)

// kindOfDER tells the binary formats apart by what is first in their outer sequence: a PFX
// begins with its version, 3 (RFC 7292), a private key with its version, 0 or 1 (RFC 5208, 5915,
// 8017), PKCS #7 with the kind of its content (RFC 2315), a certificate with another sequence.
func kindOfDER(text []byte) kind {
	header := 2
	if len(text) > 1 && text[1] > 0x80 {
		header += int(text[1] & 0x7f)
	}
	if len(text) < header+3 {
		return unknownKind
	}
	switch first := text[header:]; {
	case first[0] == derSequence:
		return inDER
	case first[0] == derObjectID:
		return inPKCS7
	case first[0] == derInteger && first[1] == 1 && first[2] == 3:
		return inPFX
	case first[0] == derInteger && first[1] == 1 && first[2] <= 1:
		return keyInDER
	}
	return unknownKind
}

func isBase64(text []byte) bool {
	compact := strings.Join(strings.Fields(string(text)), "")
	decoded, err := base64.StdEncoding.DecodeString(compact)
	return err == nil && len(decoded) > 0 && decoded[0] == derSequence
}

// read reads a file's certificates. The finding says what is wrong with the file; what was
// expected of it is the caller's to say. What could be read is returned with it.
func read(text []byte, password string) (content, *finding.Finding) {
	c := content{kind: kindOf(text)}
	var f *finding.Finding
	switch c.kind {
	case inPEM:
		f = c.readPEM(text)
	case inPFX:
		f = c.readPFX(text, password)
	case inPKCS7:
		f = c.readPKCS7(text)
	case inDER:
		var err error
		if c.certificates, err = x509.ParseCertificates(text); err != nil {
			f = damaged("the certificate cannot be read: " + err.Error())
		}
	default:
		f = finding.Failed("", "it is "+string(c.kind), "another file was named than the one that was meant, or it was converted wrongly",
			"have it exported anew, as PEM")
	}
	return c, f
}

// readPEM reads all blocks. A block that is damaged is passed over in silence by programs that
// read PEM, this one's library included, so that blocks are counted.
func (c *content) readPEM(text []byte) *finding.Finding {
	if bytes.HasPrefix(text, byteOrderMark) {
		return finding.Failed("", "it begins with a byte order mark", "a Windows editor saved it: programs do not see the first certificate", "save it as plain ASCII")
	}
	begun, seen := bytes.Count(text, pemBegin), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		seen++
		switch {
		case block.Type == "CERTIFICATE" || block.Type == "X509 CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return damaged(fmt.Sprintf("certificate %d cannot be read: %v", len(c.certificates)+1, err))
			}
			c.certificates = append(c.certificates, certificate)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			c.openKeys++
		}
	}
	if seen < begun {
		return damaged(fmt.Sprintf("%d of its %d PEM blocks cannot be read", begun-seen, begun))
	}
	return nil
}

func damaged(found string) *finding.Finding {
	return finding.Failed("", found, "the file was cut off, changed, or badly pasted together", "copy it anew from where it was issued")
}
