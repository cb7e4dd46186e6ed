package certificates

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/finding"
)

const (
	keyKey         = "certificates.privateKey"
	keyPasswordKey = "certificates.privateKeyPassword"
)

// privateKey is one key of a key file. Neither it nor its file's text is ever printed.
type privateKey struct {
	signer crypto.Signer
	// form is how it is written: "PKCS #8, protected by a password".
	form string
}

// readKeys reads the private keys of a PEM text: PKCS #1, PKCS #8 and SEC 1, protected by a
// password or not. Certificates may be there as well.
func readKeys(text, password string) ([]privateKey, *finding.Finding) {
	const expected = "the private key of the server certificate, in PEM"
	var keys []privateKey
	var others []string
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			others = append(others, block.Type)
			continue
		}
		key, f := readKey(block, password)
		if f != nil {
			f.Expected = expected
			return nil, f
		}
		keys = append(keys, key)
	}
	if len(keys) > 0 {
		return keys, nil
	}
	found, do := "no private key", "set "+keyKey+" to the key's file, or to the key of a Secret that holds it (tls.key)"
	switch {
	case len(others) > 0:
		found = "no private key, but " + strings.Join(others, ", ")
	case strings.Contains(text, string(pemBegin)):
		found, do = "a PEM block that cannot be read", "copy the key anew from where it was made; a variable of CI must keep its line ends (type File)"
	case kindOf([]byte(text)) == keyInDER:
		found, do = "a private key in DER, which is binary", "convert it: openssl pkey -inform DER -in FILE -out FILE.pem"
	case kindOf([]byte(text)) == inPFX:
		found, do = "a PFX file", "set "+bundleKey+" to it, "+formatKey+": pfx, and "+passwordKey+"; or convert it (openssl pkcs12)"
	}
	return nil, finding.Failed(expected, found, "another file was named than the key's, or it was cut off", do)
}

// readKey reads the key of one PEM block.
func readKey(block *pem.Block, password string) (privateKey, *finding.Finding) {
	protected := ""
	der := block.Bytes
	if block.Type == "ENCRYPTED PRIVATE KEY" || legacyProtected(block) {
		if password == "" {
			return privateKey{}, finding.Failed("", "the private key is protected by a password, and none is answered",
				"it was exported that way", "set "+keyPasswordKey+"; JupyterHub's TLS secret needs the key without one")
		}
		var err error
		if der, err = unprotect(block, password); err != nil {
			return privateKey{}, notUnprotected(err)
		}
		protected = ", protected by a password"
	}
	for _, form := range []struct {
		name  string
		parse func([]byte) (any, error)
	}{
		{"PKCS #8", x509.ParsePKCS8PrivateKey},
		{"PKCS #1", func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) }},
		{"SEC 1", func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) }},
	} {
		key, err := form.parse(der)
		if signer, signs := key.(crypto.Signer); err == nil && signs {
			return privateKey{signer, form.name + protected}, nil
		}
	}
	if protected != "" {
		return privateKey{}, notUnprotected(errWrongPassword) // what came out is no key
	}
	return privateKey{}, finding.Failed("", "the private key ("+block.Type+") cannot be read", "it is damaged, or of a kind that no server certificate has",
		"copy it anew from where it was made; it is RSA, ECDSA or Ed25519, in PKCS #1, PKCS #8 or SEC 1")
}

func notUnprotected(err error) *finding.Finding {
	if errors.Is(err, errUnknownProtection) {
		return finding.NotDecided("", "the private key is protected in a way that this suite does not know", "it was made by an unusual program",
			"protect it with openssl pkcs8 -topk8, or not at all")
	}
	return finding.Failed("", "the private key does not open with the answered password", "the password is another key's, or has a slip", "correct what "+keyPasswordKey+" refers to")
}

// matches tells whether a private key is a certificate's.
func matches(key crypto.Signer, c *x509.Certificate) bool {
	public, comparable := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return comparable && public.Equal(c.PublicKey)
}

// judgeKeys says whether one of the keys is the server certificate's. others are the other
// certificates of the file.
func judgeKeys(keys []privateKey, leaf *x509.Certificate, others []*x509.Certificate) (privateKey, *finding.Finding) {
	expected := "the private key of " + called(leaf) + ", whose public key is " + fingerprint(leaf.PublicKey)
	for _, key := range keys {
		if matches(key.signer, leaf) {
			return key, nil
		}
	}
	for _, c := range others {
		if !c.Equal(leaf) && matches(keys[0].signer, c) {
			return privateKey{}, finding.Failed(expected, "it is the private key of "+called(c), "the wrong key was handed over; an authority's must never leave it",
				"name the server certificate's key in "+keyKey+"; if an authority's key went round, tell the owners of the CA")
		}
	}
	return privateKey{}, finding.Failed(expected, "a private key whose public key is "+fingerprint(keys[0].signer.Public()),
		"the certificate was renewed with a new key, or the key is another certificate's", "provide the key from which the certificate was requested, or have the certificate issued anew for this key")
}

// fingerprint tells public keys apart.
func fingerprint(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "of an unknown kind"
	}
	sum := sha256.Sum256(der)
	return fmt.Sprintf("%x (the first half of its SHA-256)", sum[:16])
}
