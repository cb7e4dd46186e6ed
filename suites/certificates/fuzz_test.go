package certificates

import (
	"encoding/pem"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

// Files come from outside: whatever is in them, reading them ends, and a file without
// certificates is a finding or no server's.
func FuzzFiles(f *testing.F) {
	c := newCompany(f)
	pfx, err := pkcs12.Modern.Encode(c.leaf.key, c.leaf.Certificate, nil, "x")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{nil, {0x30}, {0x30, 0x82}, encoded(c.all()), c.leaf.Raw, pkcs7Of(f, c.all()...), pfx, keystoreMagic,
		block("ENCRYPTED PRIVATE KEY", c.leaf.Raw), []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, problem := read(text, "x")
		if problem == nil && !got.kind.readable() {
			t.Errorf("%s was read", got.kind)
		}
		if leaf := serverIn(got.certificates, hub); leaf != nil {
			pathOf(leaf, got.certificates)
		}
		if keys, problem := readKeys(string(text), "x"); problem == nil && len(keys) == 0 {
			t.Error("neither a key nor a finding")
		}
		if block, _ := pem.Decode(text); block != nil {
			_, _ = unprotect(block, "x")
		}
	})
}
