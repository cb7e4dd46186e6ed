package certificates

import (
	"crypto/x509"
	"strings"
	"testing"
)

// A client that does not take an intermediate certificate for an anchor needs the root.
func TestRootless(t *testing.T) {
	c, other := newCompany(t), newCompany(t)
	cross := issueFor(t, "AIV Root CA", other.root, c.root.key, authority)
	sent := certificatesOf(c.leaf, c.issuing, c.policy)
	for name, test := range map[string]struct {
		chain, known []*x509.Certificate
		words        string
	}{
		"the root":                        {sent, certificatesOf(c.root), ""},
		"all":                             {sent, certificatesOf(c.issuing, c.policy, c.root), ""},
		"all, and the leaf sent alone":    {certificatesOf(c.leaf), certificatesOf(c.issuing, c.policy, c.root), ""},
		"the root of a cross certificate": {append(sent, cross.Certificate), certificatesOf(other.root), ""},
		"the issuing one":                 {sent, certificatesOf(c.issuing), "AIV Issuing CA 1, and not the root above it: CN=AIV Policy CA"},
		"those in between":                {sent, certificatesOf(c.policy, c.issuing, other.root), "and not the root above it"},
		"a cross certificate":             {sent, certificatesOf(cross), "AIV Root CA, and not the root above it: CN=AIV Root CA"},
	} {
		chain, err := judgeAnchor(served{"vip:443", test.chain}, test.known, nil, hub, now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := rootless(chain); (got == "") != (test.words == "") || !strings.Contains(got, test.words) {
			t.Errorf("%s: %q, want %q", name, got, test.words)
		}
	}
}
