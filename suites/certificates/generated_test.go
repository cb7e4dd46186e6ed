package certificates

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

const hub = "jupyterhub.aiv.internal"

// now is fixed, so that dates in messages are too.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// pair is a certificate with its key.
type pair struct {
	*x509.Certificate
	key crypto.Signer
}

// issue makes a certificate with a P-256 key; change may make it a worse one.
func issue(t testing.TB, name string, by *pair, change func(*x509.Certificate)) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issueFor(t, name, by, key, change)
}

func issueFor(t testing.TB, name string, by *pair, key crypto.Signer, change func(*x509.Certificate)) *pair {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"AIV"}, Country: []string{"DE"}},
		NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
	}
	if change != nil {
		change(template)
	}
	made := &pair{template, key}
	if by == nil {
		by = made
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if made.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return made
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

func server(c *x509.Certificate) {
	c.DNSNames = []string{hub, "*." + hub}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// also returns what makes a server certificate and changes it.
func also(change func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		server(c)
		change(c)
	}
}

// company is a root, two authorities below it, and a server's certificate.
type company struct{ root, policy, issuing, leaf *pair }

func newCompany(t testing.TB) company {
	t.Helper()
	var c company
	c.root = issue(t, "AIV Root CA", nil, authority)
	c.policy = issue(t, "AIV Policy CA", c.root, authority)
	c.issuing = issue(t, "AIV Issuing CA 1", c.policy, func(template *x509.Certificate) {
		authority(template)
		template.MaxPathLenZero = true
	})
	c.leaf = issue(t, hub, c.issuing, server)
	return c
}

func (c company) all() []*x509.Certificate {
	return certificatesOf(c.leaf, c.issuing, c.policy, c.root)
}

func certificatesOf(pairs ...*pair) []*x509.Certificate {
	var out []*x509.Certificate
	for _, p := range pairs {
		out = append(out, p.Certificate)
	}
	return out
}

// issueNow is a company whose certificates are valid by the real clock, which the probe goes by.
func issueNow(t *testing.T) company {
	today := func(change func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			change(c)
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		}
	}
	var c company
	c.root = issue(t, "Root of today", nil, today(authority))
	c.issuing = issue(t, "Issuer of today", c.root, today(authority))
	c.leaf = issue(t, hub, c.issuing, today(server))
	return c
}

// bundleOf is a bundle of these certificates.
func bundleOf(certificates ...*x509.Certificate) bundle {
	b := bundle{path: "hub.pem", content: content{kind: inPEM, certificates: certificates}, leaf: serverIn(certificates, hub)}
	if b.leaf != nil {
		b.chain = pathOf(b.leaf, validFirst(certificates, now))
	}
	return b
}

// weakRSA is a key that takes long to make often.
var weakRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) })

var soundRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func write(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// says expects err to hold all words, or to be nil where there are none.
func says(t *testing.T, name string, err error, words ...string) {
	t.Helper()
	if f := finding.As(err); f == nil {
		if len(words) > 0 {
			t.Errorf("%s: no finding, want %q", name, words)
		}
		return
	}
	if len(words) == 0 {
		t.Errorf("%s: unexpected: %v", name, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: want %q in\n%v", name, word, err)
		}
	}
}

// asError keeps a nil finding from being an error that is not nil.
func asError(f *finding.Finding) error {
	if f == nil {
		return nil
	}
	return f
}

func date(t *testing.T, text string) answers.Date {
	t.Helper()
	at, err := time.ParseInLocation(time.DateOnly, text, time.Local)
	if err != nil {
		t.Fatal(err)
	}
	return answers.Date{Time: at}
}
