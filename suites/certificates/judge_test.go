package certificates

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net"
	"slices"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
)

func TestServerCertificates(t *testing.T) {
	c := newCompany(t)
	named := func(names ...string) *pair {
		return issue(t, hub, c.issuing, also(func(template *x509.Certificate) { template.DNSNames = names }))
	}
	small := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaRoot := issueFor(t, "RSA CA", nil, must[*rsa.PrivateKey](t)(soundRSA()), authority)
	details := answers.Certificates{CommonName: hub, SubjectAltNames: []string{"DNS:" + hub, "*.JupyterHub.aiv.internal"}, Issuer: "C = DE, O = AIV, CN = AIV Issuing CA 1"}
	for name, test := range map[string]struct {
		leaf  *pair
		a     answers.Certificates
		words []string
	}{
		"sound":                {c.leaf, details, nil},
		"nothing answered":     {c.leaf, answers.Certificates{}, nil},
		"wildcard":             {named("*.aiv.internal"), answers.Certificates{}, nil},
		"RSA":                  {issueFor(t, hub, c.issuing, must[*rsa.PrivateKey](t)(soundRSA()), server), details, nil},
		"Ed25519":              {issueFor(t, hub, c.issuing, edwards, server), details, nil},
		"no usage":             {issue(t, hub, c.issuing, also(func(template *x509.Certificate) { template.ExtKeyUsage = nil })), details, nil},
		"wildcard of the zone": {named("*." + hub), details, []string{"exactly one label", hub}},
		"wildcard too high":    {named("*.internal"), details, []string{"exactly one label"}},
		"other names":          {named("hub.aiv.internal"), details, []string{"hub.aiv.internal", "a server certificate for " + hub}},
		"common name only":     {named(), details, []string{"no subject alternative names"}},
		"self-signed":          {issue(t, hub, nil, server), details, []string{"signed its own certificate"}},
		"for clients": {issue(t, hub, c.issuing, also(func(template *x509.Certificate) {
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})), details, []string{"server authentication"}},
		"RSA of 1024 bits": {issueFor(t, hub, c.issuing, must[*rsa.PrivateKey](t)(weakRSA()), server), details, []string{"1024 bits"}},
		"P-224":            {issueFor(t, hub, c.issuing, small, server), details, []string{"P-224"}},
		"SHA-1": {issue(t, hub, c.issuing, also(func(template *x509.Certificate) { template.SignatureAlgorithm = x509.ECDSAWithSHA1 })),
			details, []string{"ECDSA-SHA1"}},
		"SHA-1 with RSA": {issue(t, hub, rsaRoot, also(func(template *x509.Certificate) { template.SignatureAlgorithm = x509.SHA1WithRSA })),
			details, []string{"SHA1-RSA"}},
		"other common name": {c.leaf, answers.Certificates{CommonName: "hub"}, []string{"common name hub", "certificates.commonName"}},
		"a name less":       {c.leaf, answers.Certificates{SubjectAltNames: []string{hub}}, []string{"in the certificate only: *." + hub}},
		"a name more":       {c.leaf, answers.Certificates{SubjectAltNames: []string{hub, "*." + hub, "hub.aiv.internal"}}, []string{"not in the certificate: hub.aiv.internal"}},
		"other issuer":      {c.leaf, answers.Certificates{Issuer: "AIV Root CA"}, []string{"AIV Issuing CA 1", "certificates.issuer"}},
	} {
		says(t, name, asError(judgeServer(test.leaf.Certificate, test.a, hub)), test.words...)
	}
}

func TestIntermediates(t *testing.T) {
	c := newCompany(t)
	changed := func(change func(*x509.Certificate)) (issuing, leaf *pair) {
		issuing = issue(t, "AIV Issuing CA 2", c.policy, func(template *x509.Certificate) {
			authority(template)
			change(template)
		})
		return issuing, issue(t, hub, issuing, server)
	}
	with := func(change func(*x509.Certificate)) bundle {
		issuing, leaf := changed(change)
		return bundleOf(certificatesOf(leaf, issuing, c.policy, c.root)...)
	}
	deep := issue(t, "too deep", c.issuing, authority) // the issuing authority allows none below it
	direct := issue(t, hub, c.root, server)
	other := newCompany(t)
	cross := issueFor(t, "AIV Root CA", other.root, c.root.key, authority)
	renamed := issue(t, "AIV Issuing CA 1", other.root, authority)
	expired, expiredLeaf := changed(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) })
	stray := issue(t, "Another CA", nil, authority)
	old := issueFor(t, "AIV Root CA", other.root, c.root.key, func(template *x509.Certificate) {
		authority(template)
		template.NotAfter = now.AddDate(0, 0, -1)
	})
	for name, test := range map[string]struct {
		b     bundle
		known []*x509.Certificate
		words []string
	}{
		"in order":                   {bundleOf(c.all()...), nil, nil},
		"reversed":                   {bundleOf(certificatesOf(c.root, c.policy, c.issuing, c.leaf)...), nil, nil},
		"the CA is an expired one":   {bundleOf(certificatesOf(expiredLeaf, expired)...), certificatesOf(expired), []string{"expired"}},
		"without the root":           {bundleOf(certificatesOf(c.leaf, c.issuing, c.policy)...), certificatesOf(c.root), nil},
		"none needed":                {bundleOf(certificatesOf(direct, c.root)...), nil, nil},
		"the CA is an issuing one":   {bundleOf(certificatesOf(c.leaf, c.issuing)...), certificatesOf(c.issuing), nil},
		"cross-signed, root known":   {bundleOf(certificatesOf(c.leaf, c.issuing, c.policy, cross)...), certificatesOf(c.root), nil},
		"cross-signed, root unknown": {bundleOf(certificatesOf(c.leaf, c.issuing, c.policy, cross)...), nil, []string{"the chain ends at AIV Root CA"}},
		"cross-signed root":          {bundleOf(certificatesOf(c.leaf, c.issuing, c.policy, cross, c.root)...), nil, nil},
		"beside what is not needed":  {bundleOf(certificatesOf(c.leaf, stray, c.issuing, c.policy, c.policy, old, c.root)...), certificatesOf(c.root), nil},
		"the issuing one is missing": {bundleOf(certificatesOf(c.leaf, c.policy, c.root)...), certificatesOf(c.root), []string{"intermediate", "AIV Issuing CA 1"}},
		"one in the middle":          {bundleOf(certificatesOf(c.leaf, c.issuing, c.root)...), nil, []string{"AIV Policy CA"}},
		"the leaf alone":             {bundleOf(c.leaf.Certificate), certificatesOf(c.root), []string{"AIV Issuing CA 1"}},
		"of the same name":           {bundleOf(certificatesOf(c.leaf, renamed, other.root)...), nil, []string{"AIV Issuing CA 1"}},
		"expired":                    {with(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }), nil, []string{"AIV Issuing CA 2 expired on 2026-11-22"}},
		"not yet":                    {with(func(c *x509.Certificate) { c.NotBefore = now.AddDate(0, 0, 2) }), nil, []string{"not valid before 2026-11-25"}},
		"soon":                       {with(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, 10) }), nil, []string{"in 10 days"}},
		"no CA":                      {with(func(c *x509.Certificate) { c.IsCA = false }), nil, []string{"CA:TRUE"}},
		"no sign":                    {with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), nil, []string{"key usage"}},
		"SHA-1":                      {with(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }), nil, []string{"SHA1"}},
		"too deep":                   {bundleOf(certificatesOf(issue(t, hub, deep, server), deep, c.issuing, c.policy, c.root)...), nil, []string{"does not verify"}},
		"outside its constraints":    {with(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }), nil, []string{"does not verify"}},
	} {
		says(t, name, asError(judgeIntermediates(test.b, test.known, now, 30)), test.words...)
	}
}

func TestOrderOfAFile(t *testing.T) {
	c := newCompany(t)
	for want, certificates := range map[string][]*x509.Certificate{
		"": c.all(),
		"the order is AIV Root CA, AIV Policy CA, AIV Issuing CA 1, " + hub: certificatesOf(c.root, c.policy, c.issuing, c.leaf),
		"AIV Root CA is there twice":                                        certificatesOf(c.leaf, c.issuing, c.policy, c.root, c.root),
		"Another CA (valid until 2027-11-23) does not belong to the chain":  certificatesOf(c.leaf, c.issuing, c.policy, c.root, issue(t, "Another CA", nil, authority)),
	} {
		if got := bundleOf(certificates...).disorder(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRoots(t *testing.T) {
	c, other := newCompany(t), newCompany(t)
	with := func(change func(*x509.Certificate)) bundle {
		root := issue(t, "Old Root", nil, func(template *x509.Certificate) {
			authority(template)
			change(template)
		})
		return bundleOf(certificatesOf(issue(t, hub, root, server), root)...)
	}
	weak := issueFor(t, "Small Root", nil, must[*rsa.PrivateKey](t)(weakRSA()), authority)
	for name, test := range map[string]struct {
		b     bundle
		known []*x509.Certificate
		words []string
	}{
		"there":                      {bundleOf(c.all()...), certificatesOf(c.root), nil},
		"no CA file":                 {bundleOf(c.all()...), nil, nil},
		"an issuing CA is the CA":    {bundleOf(c.all()...), certificatesOf(c.issuing), nil},
		"an intermediate is missing": {bundleOf(certificatesOf(c.leaf, c.root)...), certificatesOf(c.root), nil},
		"missing":                    {bundleOf(certificatesOf(c.leaf, c.issuing, c.policy)...), certificatesOf(c.root), []string{"root", "AIV Policy CA"}},
		"the leaf alone":             {bundleOf(c.leaf.Certificate), nil, []string{"chain ends at " + hub}},
		"another one":                {bundleOf(c.all()...), certificatesOf(other.root), []string{"certificates.caFile", "serial number"}},
		"expired":                    {with(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }), nil, []string{"expired"}},
		"signed with SHA-1":          {with(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }), nil, nil},
		"weak":                       {bundleOf(certificatesOf(issue(t, hub, weak, server), weak)...), nil, []string{"1024 bits"}},
	} {
		says(t, name, asError(judgeRoot(test.b, test.known, now, 30)), test.words...)
	}
}

func TestAnchors(t *testing.T) {
	c, other := newCompany(t), newCompany(t)
	root := certificatesOf(c.root)
	with := func(change func(*x509.Certificate)) []*x509.Certificate {
		return append(certificatesOf(issue(t, hub, c.issuing, also(change))), certificatesOf(c.issuing, c.policy)...)
	}
	stale := issue(t, "AIV Issuing CA 1", c.root, func(template *x509.Certificate) {
		authority(template)
		template.NotAfter = now.AddDate(0, 0, -1)
	})
	for name, test := range map[string]struct {
		chain, known, bundle []*x509.Certificate
		undecided            bool
		words                []string
	}{
		"anchored":             {certificatesOf(c.leaf, c.issuing, c.policy), root, nil, false, nil},
		"in any order":         {certificatesOf(c.leaf, c.policy, c.issuing), root, nil, false, nil},
		"another CA":           {certificatesOf(c.leaf, c.issuing, c.policy), certificatesOf(other.root), c.all(), false, []string{"AIV Root CA", "not in the CA file", "certificates.caFile"}},
		"nothing is known":     {certificatesOf(c.leaf), certificatesOf(other.root), nil, false, []string{"AIV Issuing CA 1"}},
		"an incomplete chain":  {certificatesOf(c.leaf), root, c.all(), true, []string{"intermediate", "see item 3.1.3.2"}},
		"an old intermediate":  {certificatesOf(issue(t, hub, stale, server), stale), root, nil, true, []string{"see item 3.1.3.2"}},
		"for another name":     {with(func(c *x509.Certificate) { c.DNSNames = []string{"x.aiv.internal"} }), root, nil, true, []string{"see item 3.1.3.1"}},
		"expired":              {with(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }), root, nil, true, []string{"expired", "see item 3.1.5"}},
		"not yet":              {with(func(c *x509.Certificate) { c.NotBefore = now.AddDate(0, 0, 1) }), root, nil, true, []string{"not yet valid", "see item 3.1.5"}},
		"a weak signature":     {with(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }), root, nil, true, []string{"SHA1", "see item 3.1.3.1"}},
		"an authority's limit": {certificatesOf(issue(t, "deep", c.issuing, authority), c.issuing, c.policy), root, nil, true, []string{"see item 3.1.3.1"}},
	} {
		_, err := judgeAnchor(served{"vip:443", test.chain}, test.known, test.bundle, hub, now)
		says(t, name, err, test.words...)
		if f := asFinding(err); f != nil && f.Undecided != test.undecided {
			t.Errorf("%s: undecided is %v", name, f.Undecided)
		}
	}
}

func TestAuthorityFiles(t *testing.T) {
	c := newCompany(t)
	key := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(c.root.key))
	old := issue(t, "Old CA", nil, func(template *x509.Certificate) {
		authority(template)
		template.NotAfter = now.AddDate(0, 0, -1)
	})
	for name, test := range map[string]struct {
		text  []byte
		words []string
	}{
		"a root":               {encoded(certificatesOf(c.root)), nil},
		"two":                  {encoded(certificatesOf(c.root, c.issuing)), nil},
		"a server's":           {encoded(certificatesOf(c.leaf)), []string{"CA:TRUE", hub}},
		"a server's besides":   {encoded(certificatesOf(c.root, c.leaf)), []string{"CA:TRUE"}},
		"binary":               {c.root.Raw, []string{"DER", "openssl x509 -inform DER"}},
		"empty":                {nil, []string{"it is empty"}},
		"a key":                {block("PRIVATE KEY", key), []string{"it has no certificate"}},
		"with the CA's key":    {join(encoded(certificatesOf(c.root)), block("PRIVATE KEY", key)), []string{"private key", "tell the owners of the CA"}},
		"one that is cut off":  {encoded(certificatesOf(c.root))[:200], []string{"PEM blocks"}},
		"something else's PEM": {block("CERTIFICATE REQUEST", c.root.Raw), []string{"it has no certificate"}},
	} {
		_, f := readAuthorities(write(t, test.text))
		says(t, name, asError(f), test.words...)
	}
	_, f := readAuthorities(t.TempDir() + "/none.pem")
	says(t, "missing", asError(f), "no such file", "certificates.caFile")
	if f.Undecided {
		t.Error("a CA file that was not provided decides nothing")
	}
	if _, f = readAuthorities(t.TempDir()); !f.Undecided {
		t.Error("a file that cannot be read decides")
	}
	for name, test := range map[string]struct {
		authorities []*x509.Certificate
		warning     string
		words       []string
	}{
		"valid":       {certificatesOf(c.root), "", nil},
		"one expired": {certificatesOf(old, c.root), "Old CA expired on 2026-11-22", nil},
		"all expired": {certificatesOf(old), "", []string{"Old CA expired on 2026-11-22"}},
	} {
		warning, f := judgeValidity(test.authorities, now)
		says(t, name, asError(f), test.words...)
		if warning != test.warning {
			t.Errorf("%s: warning %q", name, warning)
		}
	}
}

func TestKeys(t *testing.T) {
	c := newCompany(t)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"RSA": must[*rsa.PrivateKey](t)(soundRSA()), "ECDSA": c.leaf.key, "Ed25519": edwards} {
		leaf := issueFor(t, hub, c.issuing, key, server)
		forms := map[string][]byte{"PKCS #8": block("PRIVATE KEY", must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key)))}
		switch key := key.(type) {
		case *rsa.PrivateKey:
			forms["PKCS #1"] = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
		case *ecdsa.PrivateKey:
			forms["SEC 1"] = join(block("EC PARAMETERS", []byte{6, 0}), block("EC PRIVATE KEY", must[[]byte](t)(x509.MarshalECPrivateKey(key))))
		}
		for form, text := range forms {
			keys, f := readKeys(string(text), "")
			if f != nil || len(keys) != 1 || keys[0].form != form {
				t.Errorf("%s in %s: %v, %v", name, form, keys, f)
				continue
			}
			if _, f := judgeKeys(keys, leaf.Certificate, nil); f != nil {
				t.Errorf("%s in %s: %v", name, form, f)
			}
			_, f = judgeKeys(keys, c.issuing.Certificate, nil)
			says(t, name+" of another", asError(f), "public key is")
		}
	}
	issuing, f := readKeys(string(block("PRIVATE KEY", must[[]byte](t)(x509.MarshalPKCS8PrivateKey(c.issuing.key)))), "")
	if f != nil {
		t.Fatal(f)
	}
	_, f = judgeKeys(issuing, c.leaf.Certificate, c.all())
	says(t, "the authority's", asError(f), "it is the private key of AIV Issuing CA 1")
	for name, test := range map[string]struct {
		text  []byte
		words []string
	}{
		"a certificate": {encoded(c.all()), []string{"no private key, but CERTIFICATE"}},
		"nothing":       {nil, []string{"no private key"}},
		"binary":        {must[[]byte](t)(x509.MarshalPKCS8PrivateKey(c.leaf.key)), []string{"openssl pkey -inform DER"}},
		"one line":      {slices.DeleteFunc(block("PRIVATE KEY", c.leaf.Raw), func(b byte) bool { return b == '\n' }), []string{"line ends"}},
		"damaged":       {block("PRIVATE KEY", []byte("0123")), []string{"cannot be read"}},
	} {
		_, f := readKeys(string(test.text), "")
		says(t, name, asError(f), test.words...)
	}
}

func TestPeriods(t *testing.T) {
	c := newCompany(t)
	with := func(from, until time.Time) *x509.Certificate {
		return issue(t, hub, c.issuing, also(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, until })).Certificate
	}
	answered := answers.Certificates{ValidFrom: date(t, "2026-10-23"), ValidUntil: date(t, "2027-11-23")}
	until := now.AddDate(1, 0, 0)
	for name, test := range map[string]struct {
		c     *x509.Certificate
		a     answers.Certificates
		words []string
	}{
		"valid":            {c.leaf.Certificate, answered, nil},
		"start unanswered": {c.leaf.Certificate, answers.Certificates{ValidUntil: answered.ValidUntil}, nil},
		"expired":          {with(now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1)), answered, []string{"expired on 2026-11-22"}},
		"not yet":          {with(now.Add(time.Hour), until), answered, []string{"not valid before 2026-11-23T13:00:00Z"}},
		"ten days":         {with(now.AddDate(0, -1, 0), now.AddDate(0, 0, 10)), answered, []string{"in 10 days"}},
		"thirty-one":       {with(now.AddDate(0, -1, 0), now.AddDate(0, 0, 31)), answers.Certificates{ValidUntil: date(t, "2026-12-24")}, nil},
		"other end":        {with(now.AddDate(0, -1, 0), now.AddDate(0, 6, 0)), answered, []string{"certificates.validUntil: 2027-05-23"}},
		"other start":      {with(now.AddDate(0, 0, -1), until), answered, []string{"certificates.validFrom: 2026-11-22"}},
	} {
		says(t, name, asError(judgePeriod(test.c, test.a, 30, now)), test.words...)
	}
	older := with(now.AddDate(0, -2, 0), until)
	s := served{"vip:443", certificatesOf(c.leaf)}
	says(t, "the same", asError(judgeSame(s, c.leaf.Certificate)))
	says(t, "the file is older", asError(judgeSame(s, older)), "the file is the old one")
	says(t, "the served one is older", asError(judgeSame(served{"vip:443", []*x509.Certificate{older}}, c.leaf.Certificate)), "not in use yet")
}

// A file that is not there is one item's failure, and leaves the others undecided.
func TestOneDefectIsOneFailure(t *testing.T) {
	c := newCompany(t)
	for name, test := range map[string]struct {
		path, item string
	}{
		"missing":        {t.TempDir() + "/none.pem", "3.1.3.1"},
		"no certificate": {write(t, block("CERTIFICATE REQUEST", []byte("x"))), "3.1.3.1"},
		"no server's":    {write(t, encoded(certificatesOf(c.root, c.issuing))), "3.1.3.1"},
		"damaged":        {write(t, encoded(c.all())[:300]), "3.1.2"},
	} {
		_, p := readBundle(test.path, "", hub)
		for _, id := range []string{"3.1.2", "3.1.3.1", "3.1.4", "3.1.5"} {
			f := asFinding(p.problemFor(id, "x"))
			if f == nil || f.Undecided != (id != test.item) {
				t.Errorf("%s for %s: %v", name, id, f)
			}
		}
	}
}

func TestSelfSignedServer(t *testing.T) {
	leaf := issue(t, hub, nil, func(c *x509.Certificate) {
		authority(c)
		server(c)
		c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)}
	})
	b := bundleOf(leaf.Certificate)
	if b.leaf == nil {
		t.Fatal("it is not seen as a server's")
	}
	says(t, "self-signed", asError(judgeServer(b.leaf, answers.Certificates{}, hub)), "signed its own certificate")
}
