package certificates

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"

	"aiv.internal/conformance/framework/finding"
)

// contentInfo and signedData are PKCS #7's outer layers (RFC 2315, 7 and 9.1).
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type signedData struct {
	Version      int
	Digests      asn1.RawValue
	Content      asn1.RawValue
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	CRLs         asn1.RawValue `asn1:"optional,tag:1"`
	Signers      asn1.RawValue
}

// readPKCS7 reads the certificates of a PKCS #7 file, binary or in PEM. Nothing is signed with
// it: it is only a way to hand over several certificates.
func (c *content) readPKCS7(text []byte) *finding.Finding {
	if block, _ := pem.Decode(text); block != nil {
		text = block.Bytes
	}
	var outer contentInfo
	var inner signedData
	_, err := asn1.Unmarshal(text, &outer)
	if err == nil {
		_, err = asn1.Unmarshal(outer.Content.Bytes, &inner)
	}
	if err == nil {
		c.certificates, err = x509.ParseCertificates(inner.Certificates.Bytes)
	}
	if err != nil {
		return damaged("its certificates cannot be read: " + err.Error())
	}
	return nil
}
