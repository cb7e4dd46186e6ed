package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

func parseCertificate(t *testing.T, encoded []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(encoded)
	if block == nil {
		t.Fatal("no PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestCreate(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	if err := Create(dir); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, authority, host string }{
		{APIServer, ClusterCA, topology.HostIP},
		{APIServer, ClusterCA, "kubernetes.default.svc"},
		{Kubelet("lab-node1"), ClusterCA, "10.64.0.11"},
		{Registry, CompanyCA, topology.RegistryHost},
		{Entra, CompanyCA, topology.LoginHost},
		{Entra, CompanyCA, topology.GraphHost},
		{Admin, ClusterCA, ""},
	} {
		pair, err := tls.LoadX509KeyPair(dir.PKI(test.name)+".crt", dir.PKI(test.name)+".key")
		if err != nil {
			t.Fatal(err)
		}
		authority, err := Read(dir.PKI(test.authority))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(authority.certificate)
		options := x509.VerifyOptions{Roots: roots, DNSName: test.host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if test.host != "" {
			options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		if _, err := pair.Leaf.Verify(options); err != nil {
			t.Errorf("%s for %q: %v", test.name, test.host, err)
		}
		if info, err := os.Stat(dir.PKI(test.name) + ".key"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the key of %s: %v, %v", test.name, info.Mode(), err)
		}
	}
}

func TestHubChain(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := errors.Join(dir.Make(), Create(dir)); err != nil {
		t.Fatal(err)
	}
	served, err := tls.LoadX509KeyPair(dir.PKI(HubServer)+".crt", dir.PKI(HubServer)+".key")
	if err != nil {
		t.Fatal(err)
	}
	handed, err := tls.LoadX509KeyPair(dir.HubBundle(), dir.HubKey())
	if err != nil {
		t.Fatal(err)
	}
	if len(served.Certificate) != 2 || len(handed.Certificate) != 3 || !served.Leaf.Equal(handed.Leaf) {
		t.Errorf("%d certificates are served, %d handed over", len(served.Certificate), len(handed.Certificate))
	}
	company, err := Read(dir.PKI(CompanyCA))
	if err != nil {
		t.Fatal(err)
	}
	issuing, err := x509.ParseCertificate(served.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(company.certificate)
	between.AddCert(issuing)
	for _, host := range []string{topology.HubHost, "anna." + topology.HubHost} {
		if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("it verifies without the issuing authority")
	}
}

func TestCompleteKeepsWhatIsThere(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	if err := Create(dir); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(dir.PKI(Registry + ".crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(dir.PKI(Entra+".crt")), os.Remove(dir.PKI(HubServer+".crt"))); err != nil {
		t.Fatal(err)
	}
	if err := Complete(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{Entra, HubServer} {
		if _, err := tls.LoadX509KeyPair(dir.PKI(name)+".crt", dir.PKI(name)+".key"); err != nil {
			t.Error(err)
		}
	}
	if again, err := os.ReadFile(dir.PKI(Registry + ".crt")); err != nil || string(again) != string(kept) {
		t.Errorf("the registry's certificate is another one, %v", err)
	}
}

func TestExpired(t *testing.T) {
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(-time.Hour)
	pair, err := authority.Issue(Request{CommonName: "late", NotAfter: end})
	if err != nil {
		t.Fatal(err)
	}
	certificate := parseCertificate(t, pair.Certificate)
	if certificate.NotAfter.After(time.Now()) || !certificate.NotBefore.Before(certificate.NotAfter) {
		t.Errorf("valid from %s to %s", certificate.NotBefore, certificate.NotAfter)
	}
}
