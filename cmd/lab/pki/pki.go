// Package pki makes the lab's keys and certificates. There are two authorities, as at a
// customer's: the cluster's own, which nobody else trusts, and the company's, which signs the
// services and which nodes and pods are told to trust. JupyterHub's certificate comes from an
// issuing authority below the company's, so that there is an intermediate to forget.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// Lifetime is how long an authority and what it signs are valid.
const Lifetime = 365 * 24 * time.Hour

// backdate allows for clocks that are a little behind.
const backdate = time.Hour

// Pair is a certificate with its key, in PEM.
type Pair struct{ Certificate, Key []byte }

// Authority signs certificates.
type Authority struct {
	Pair
	certificate *x509.Certificate
	key         crypto.Signer
}

// Request says what a certificate is for.
type Request struct {
	CommonName   string
	Organization []string
	// Hosts are DNS names and IP addresses; a certificate with any may serve.
	Hosts []string
	// NotAfter ends the validity; zero means Lifetime from now. NotBefore begins it; zero means
	// an hour ago, or a day before an end that is given.
	NotBefore, NotAfter time.Time
	// Key is an ECDSA key on P-256 if nil, Signature the one that suits the authority if zero:
	// faults ask for worse ones.
	Key       crypto.Signer
	Signature x509.SignatureAlgorithm
}

// NewAuthority makes an authority with a new key.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := authorityTemplate(name)
	if err != nil {
		return nil, err
	}
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return parse(pair)
}

// NewIntermediate makes an authority that a signs, and that signs no further authorities.
func (a *Authority) NewIntermediate(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := authorityTemplate(name)
	if err != nil {
		return nil, err
	}
	template.MaxPathLenZero = true
	// An authority that outlives the one above it is of no use after that one's end.
	template.NotAfter = a.certificate.NotAfter
	pair, err := sign(template, a.certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	return parse(pair)
}

func authorityTemplate(name string) (*x509.Certificate, error) {
	template, err := base(Request{CommonName: name, Organization: []string{"AIV (simulated)"}})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	return template, nil
}

// Issue signs a new key's certificate. It may be used by a client, and by a server where the
// request names hosts.
func (a *Authority) Issue(request Request) (Pair, error) {
	key := request.Key
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return Pair{}, err
		}
	}
	template, err := base(request)
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(request.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return sign(template, a.certificate, key, a.key)
}

func base(request Request) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: request.CommonName, Organization: request.Organization},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(Lifetime),
	}
	if !request.NotAfter.IsZero() {
		template.NotAfter = request.NotAfter
		// A certificate that is over must also have begun before it was.
		template.NotBefore = request.NotAfter.Add(-24 * time.Hour)
	}
	if !request.NotBefore.IsZero() {
		template.NotBefore = request.NotBefore
	}
	template.SignatureAlgorithm = request.Signature
	for _, host := range request.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template, nil
}

func sign(template, parent *x509.Certificate, key, parentKey crypto.Signer) (Pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return Pair{}, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: keyPEM}, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	curved, is := key.(*ecdsa.PrivateKey)
	if !is {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
	}
	der, err := x509.MarshalECPrivateKey(curved)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// SigningKey makes the key pair that signs service account tokens; its Certificate is the
// bare public key.
func SigningKey() (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	private, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Pair{}, err
	}
	return Pair{Certificate: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), Key: private}, nil
}

// Write stores the pair as path.crt and path.key, the key readable by the owner only.
func (p Pair) Write(path string) error {
	return errors.Join(
		os.WriteFile(path+".crt", p.Certificate, 0o644),
		os.WriteFile(path+".key", p.Key, 0o600))
}

// Read loads an authority from path.crt and path.key.
func Read(path string) (*Authority, error) {
	certificate, err := os.ReadFile(path + ".crt")
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(path + ".key")
	if err != nil {
		return nil, err
	}
	return parse(Pair{Certificate: certificate, Key: key})
}

func parse(pair Pair) (*Authority, error) {
	certificateBlock, _ := pem.Decode(pair.Certificate)
	keyBlock, _ := pem.Decode(pair.Key)
	if certificateBlock == nil || keyBlock == nil {
		return nil, errors.New("no PEM block in the authority's certificate or key")
	}
	certificate, err := x509.ParseCertificate(certificateBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	return &Authority{Pair: pair, certificate: certificate, key: key}, nil
}
