package certificates

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// The least that BSI TR-02102 and the CA/Browser Forum accept of a server's key.
const (
	minRSABits   = 2048
	minCurveBits = 256
)

// keyText names a public key: "RSA, 2048 bits".
func keyText(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA, %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA, " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}

// weakKey says why a certificate's key is too weak, "" if it is not.
func weakKey(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return fmt.Sprintf("its key is RSA with %d bits: at least %d are needed", key.N.BitLen(), minRSABits)
		}
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize < minCurveBits {
			return fmt.Sprintf("its key is on curve %s: at least P-%d is needed", key.Curve.Params().Name, minCurveBits)
		}
	case ed25519.PublicKey:
	default:
		return "its key is of a kind that browsers refuse: " + c.PublicKeyAlgorithm.String()
	}
	return ""
}

// weakSignature says why the signature under a certificate is too weak, "" if it is not. Nobody
// verifies the one under a root.
func weakSignature(c *x509.Certificate) string {
	if selfSigned(c) {
		return ""
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "it is signed with " + c.SignatureAlgorithm.String() + ", which browsers refuse"
	case x509.UnknownSignatureAlgorithm:
		return "it is signed with an algorithm that is not known"
	}
	return ""
}

// weakness says what is too weak in a certificate, "" for nothing.
func weakness(c *x509.Certificate) string {
	if weak := weakKey(c); weak != "" {
		return weak
	}
	return weakSignature(c)
}
