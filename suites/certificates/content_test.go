package certificates

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"os/exec"
	"testing"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"

	"crypto/x509"

	"aiv.internal/conformance/framework/answers"
)

func pkcs7Of(t testing.TB, certificates ...*x509.Certificate) []byte {
	t.Helper()
	var raw []byte
	for _, c := range certificates {
		raw = append(raw, c.Raw...)
	}
	empty := asn1.RawValue{FullBytes: []byte{0x31, 0}}
	inner := must[[]byte](t)(asn1.Marshal(struct {
		Version      int
		Digests      asn1.RawValue
		Content      contentType
		Certificates asn1.RawValue
		Signers      asn1.RawValue
	}{1, empty, contentType{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}},
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: raw}, empty}))
	return must[[]byte](t)(asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}}))
}

type contentType struct{ Type asn1.ObjectIdentifier }

func TestFormats(t *testing.T) {
	c := newCompany(t)
	key := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(c.leaf.key))
	pfx := must[[]byte](t)(pkcs12.Modern.Encode(c.leaf.key, c.leaf.Certificate, certificatesOf(c.issuing, c.policy, c.root), "right"))
	bare := must[[]byte](t)(pkcs12.Passwordless.Encode(c.leaf.key, c.leaf.Certificate, nil, ""))
	inText := encoded(c.all())
	wide := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(string(inText))) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	for name, test := range map[string]struct {
		text     []byte
		password string
		answered answers.CertificateFormat
		kind     kind
		count    int
		words    []string
	}{
		"PEM":                        {inText, "", answers.PEM, inPEM, 4, nil},
		"PEM with texts and CR":      {join([]byte("Bag Attributes\r\n  x: y\r\n"), inText), "", answers.PEM, inPEM, 4, nil},
		"PEM answered as PFX":        {inText, "", answers.PFX, inPEM, 4, []string{"by its content it is PEM", "certificates.format: pem"}},
		"PEM answered as other":      {inText, "", answers.OtherCertificates, inPEM, 4, []string{"by its content it is PEM"}},
		"PFX":                        {pfx, "right", answers.PFX, inPFX, 4, nil},
		"PFX without a password":     {bare, "", answers.PFX, inPFX, 1, nil},
		"PFX named PEM":              {pfx, "", answers.PEM, inPFX, 0, []string{"PFX", "certificates.format: pfx", "certificates.pfxPassword"}},
		"PFX named PEM, opened":      {pfx, "right", answers.PEM, inPFX, 4, []string{"PFX"}},
		"PFX, wrong password":        {pfx, "wrong", answers.PFX, inPFX, 0, []string{"does not open with the answered password"}},
		"PFX, no password":           {pfx, "", answers.PFX, inPFX, 0, []string{"no password is answered"}},
		"PFX, cut off":               {pfx[:len(pfx)-20], "right", answers.PFX, inPFX, 0, []string{"cut off"}},
		"DER":                        {c.leaf.Raw, "", answers.OtherCertificates, inDER, 1, nil},
		"DER answered as PEM":        {c.leaf.Raw, "", answers.PEM, inDER, 1, []string{"DER", "certificates.format: other"}},
		"PKCS 7":                     {pkcs7Of(t, c.all()...), "", answers.OtherCertificates, inPKCS7, 4, nil},
		"PKCS 7 in PEM":              {block("PKCS7", pkcs7Of(t, c.all()...)), "", answers.OtherCertificates, inPKCS7, 4, nil},
		"PKCS 7, damaged":            {pkcs7Of(t, c.all()...)[:300], "", answers.OtherCertificates, inPKCS7, 0, []string{"cannot be read"}},
		"Java keystore":              {join(keystoreMagic, []byte{0, 0, 0, 2}), "", answers.OtherCertificates, inKeystore, 0, []string{"Java keystore"}},
		"a key":                      {key, "", answers.OtherCertificates, keyInDER, 0, []string{"private key in DER"}},
		"empty":                      {[]byte(" \n"), "", answers.PEM, isEmpty, 0, []string{"it is empty"}},
		"a web page":                 {[]byte("<html>404"), "", answers.PEM, unknownKind, 0, []string{"no certificate file"}},
		"base64 alone":               {[]byte(base64.StdEncoding.EncodeToString(c.leaf.Raw)), "", answers.PEM, inBase64, 0, []string{"BEGIN"}},
		"UTF-16":                     {wide, "", answers.PEM, inUTF16, 0, []string{"UTF-16"}},
		"byte order mark":            {join(byteOrderMark, inText), "", answers.PEM, inPEM, 0, []string{"byte order mark"}},
		"a block that is cut off":    {inText[:len(inText)-40], "", answers.PEM, inPEM, 3, []string{"1 of its 4 PEM blocks"}},
		"a block that is damaged":    {join(block("CERTIFICATE", c.leaf.Raw[:200]), inText), "", answers.PEM, inPEM, 0, []string{"certificate 1 cannot be read"}},
		"certificates and their key": {join(inText, block("PRIVATE KEY", key)), "", answers.PEM, inPEM, 4, nil},
	} {
		b, unread := readBundle(write(t, test.text), test.password, hub)
		if b.kind != test.kind || len(b.certificates) != test.count {
			t.Errorf("%s: %q with %d certificates", name, b.kind, len(b.certificates))
		}
		says(t, name, judgeFormat(b, test.answered, unread), test.words...)
	}
}

// Real files are made with openssl, whose habits differ from this library's.
func TestOpenSSLFiles(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl here")
	}
	c := newCompany(t)
	key := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(c.leaf.key))
	both := write(t, join(block("PRIVATE KEY", key), encoded(c.all())))
	run := func(arguments ...string) []byte {
		out, err := exec.Command(openssl, arguments...).Output()
		if err != nil {
			t.Fatal(err, arguments)
		}
		return out
	}
	pfx := run("pkcs12", "-export", "-in", both, "-passout", "pass:right")
	b, unread := readBundle(write(t, pfx), "right", hub)
	if unread != nil || len(b.chain) != 4 || !matches(b.key, b.leaf) {
		t.Errorf("PFX: %v, %d certificates", unread, len(b.chain))
	}
	p7 := run("crl2pkcs7", "-nocrl", "-certfile", both)
	if b, unread = readBundle(write(t, p7), "", hub); unread != nil || len(b.chain) != 4 {
		t.Errorf("PKCS 7: %v, %d certificates", unread, len(b.chain))
	}
	for _, cipher := range []string{"-aes-128-cbc", "-aes-256-cbc", "-des3"} {
		protected := run("pkcs8", "-topk8", "-in", both, "-v2", cipher[1:], "-passout", "pass:right")
		opened(t, "pkcs8 "+cipher, protected, c.leaf)
	}
	opened(t, "old PRF", run("pkcs8", "-topk8", "-in", both, "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1", "-passout", "pass:right"), c.leaf)
	opened(t, "before PKCS 8", run("ec", "-in", both, "-aes256", "-passout", "pass:right"), c.leaf)
	if _, f := readKeys(string(run("pkcs8", "-topk8", "-in", both, "-scrypt", "-passout", "pass:right")), "right"); f == nil || !f.Undecided {
		t.Errorf("scrypt: %v", f)
	}
}

// opened expects a protected key to open with the right password only.
func opened(t *testing.T, name string, text []byte, leaf *pair) {
	t.Helper()
	keys, f := readKeys(string(text), "right")
	if f != nil {
		t.Errorf("%s: %v", name, f)
		return
	}
	if _, f := judgeKeys(keys, leaf.Certificate, nil); f != nil {
		t.Errorf("%s: %v", name, f)
	}
	_, f = readKeys(string(text), "wrong")
	says(t, name, asError(f), "does not open with the answered password")
	_, f = readKeys(string(text), "")
	says(t, name, asError(f), "none is answered")
}

func TestDistinguishedNames(t *testing.T) {
	name := pkix.Name{CommonName: "AIV Issuing CA, 1", Names: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, Value: "internal"},
		{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, Value: "aiv"},
		{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "AIV"},
		{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "AIV Issuing CA, 1"},
	}}
	for written, want := range map[string]bool{
		"AIV Issuing CA, 1": true, "aiv issuing ca, 1": true,
		`CN=AIV Issuing CA\, 1,O=AIV,DC=aiv,DC=internal`:             true,
		`DC = internal, DC = aiv, O = AIV, CN = AIV  Issuing CA\, 1`: true,
		"/DC=internal/DC=aiv/O=AIV/CN=AIV Issuing CA, 1":             true,
		"AIV Issuing CA":                                   false,
		`CN=AIV Issuing CA\, 1,O=AIV`:                      false,
		`CN=AIV Issuing CA\, 1,O=Other,DC=aiv,DC=internal`: false,
	} {
		if isNamed(written, name) != want {
			t.Errorf("%s: want %v of %s", written, want, distinguished(name))
		}
	}
}
