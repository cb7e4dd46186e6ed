package certificates

import (
	"crypto"
	"errors"

	"software.sslmate.com/src/go-pkcs12"

	"aiv.internal/conformance/framework/finding"
)

// passwordKey is the answer that opens a PFX file.
const passwordKey = "certificates.pfxPassword"

// readPFX opens a PFX file: certificates and private key.
func (c *content) readPFX(text []byte, password string) *finding.Finding {
	key, first, others, err := pkcs12.DecodeChain(text, password)
	var unknown pkcs12.NotImplementedError
	switch {
	case err == nil:
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		if password == "" {
			return finding.Failed("", "the PFX file does not open without a password", "it is protected, and no password is answered", "set "+passwordKey)
		}
		return finding.Failed("", "the PFX file does not open with the answered password", "the password is another file's, or has a slip", "correct what "+passwordKey+" refers to")
	case errors.As(err, &unknown):
		return finding.NotDecided("", err.Error(), "it is protected in a way that this suite does not know",
			"export it anew with AES-256 and SHA-256, or as PEM")
	default:
		return damaged(err.Error())
	}
	c.certificates = append(c.certificates, first)
	c.certificates = append(c.certificates, others...)
	c.key, _ = key.(crypto.Signer)
	return nil
}
