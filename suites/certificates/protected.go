package certificates

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"hash"
)

// errUnknownProtection is of a key that is protected in another way than openssl's default ones.
var errUnknownProtection = errors.New("unknown protection")

// errWrongPassword says that what came out is no key.
var errWrongPassword = errors.New("wrong password")

// The parts of PBES2 (RFC 8018, appendix A) in PKCS #8 (RFC 5958, 3).
type protectedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Parameters struct{ Derivation, Cipher pkix.AlgorithmIdentifier }

type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

const (
	pbes2OID  = "1.2.840.113549.1.5.13"
	pbkdf2OID = "1.2.840.113549.1.5.12"
	// maxIterations keeps a made-up file from keeping us busy.
	maxIterations = 2_000_000
)

var pseudoRandom = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

var blockCiphers = map[string]struct {
	keyLength int
	make      func([]byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

// legacyProtected tells whether a block is protected as openssl did before PKCS #8 (RFC 1421).
func legacyProtected(block *pem.Block) bool {
	//lint:ignore SA1019 it is insecure, and files like that are still handed over
	return x509.IsEncryptedPEMBlock(block)
}

// unprotect returns the key that a block protects by a password.
func unprotect(block *pem.Block, password string) ([]byte, error) {
	if legacyProtected(block) {
		//lint:ignore SA1019 as above
		der, err := x509.DecryptPEMBlock(block, []byte(password))
		if err != nil {
			return nil, errWrongPassword
		}
		return der, nil
	}
	var outer protectedKey
	var scheme pbes2Parameters
	var derivation pbkdf2Parameters
	var start []byte
	if _, err := asn1.Unmarshal(block.Bytes, &outer); err != nil || outer.Algorithm.Algorithm.String() != pbes2OID {
		return nil, errUnknownProtection
	}
	if _, err := asn1.Unmarshal(outer.Algorithm.Parameters.FullBytes, &scheme); err != nil || scheme.Derivation.Algorithm.String() != pbkdf2OID {
		return nil, errUnknownProtection
	}
	_, derivationErr := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation)
	_, cipherErr := asn1.Unmarshal(scheme.Cipher.Parameters.FullBytes, &start)
	digest, known := pseudoRandom[derivation.PRF.Algorithm.String()]
	kind, supported := blockCiphers[scheme.Cipher.Algorithm.String()]
	if derivationErr != nil || cipherErr != nil || !known || !supported || derivation.Iterations < 1 || derivation.Iterations > maxIterations {
		return nil, errUnknownProtection
	}
	key, err := pbkdf2.Key(digest, password, derivation.Salt, derivation.Iterations, kind.keyLength)
	if err != nil {
		return nil, errUnknownProtection
	}
	decrypter, err := kind.make(key)
	if err != nil || len(start) != decrypter.BlockSize() || len(outer.Data) == 0 || len(outer.Data)%decrypter.BlockSize() != 0 {
		return nil, errUnknownProtection
	}
	plain := make([]byte, len(outer.Data))
	cipher.NewCBCDecrypter(decrypter, start).CryptBlocks(plain, outer.Data)
	return unpadded(plain, decrypter.BlockSize())
}

// unpadded removes the padding, whose every byte is its length.
func unpadded(plain []byte, blockSize int) ([]byte, error) {
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > blockSize {
		return nil, errWrongPassword
	}
	for _, b := range plain[len(plain)-padding:] {
		if int(b) != padding {
			return nil, errWrongPassword
		}
	}
	return plain[:len(plain)-padding], nil
}
