package certificates

import (
	"crypto/x509"
	"slices"
	"testing"
)

func TestServedChains(t *testing.T) {
	c, other := newCompany(t), newCompany(t)
	all, root := c.all(), certificatesOf(c.root)
	// Certificates of the root's key that other roots gave it.
	cross := issueFor(t, "AIV Root CA", issue(t, "Old Root", nil, authority), c.root.key, authority)
	second := issueFor(t, "AIV Root CA", other.root, c.root.key, authority)
	oldest := issue(t, "Oldest Root", nil, authority)
	former := issue(t, "Former Root", oldest, authority)
	third := issueFor(t, "AIV Root CA", former, c.root.key, authority)
	// As the lab has it: one authority below the root.
	issuing := issue(t, "AIV Issuing CA 2", c.root, authority)
	direct := issue(t, hub, issuing, server)
	short := certificatesOf(direct, issuing, c.root)
	for name, test := range map[string]struct {
		chain, bundle, known []*x509.Certificate
		superfluous          []string
		words                []string
	}{
		"complete":                  {certificatesOf(c.leaf, c.issuing, c.policy), all, root, nil, nil},
		"with the root":             {all, all, root, nil, nil},
		"no CA file":                {certificatesOf(c.leaf, c.issuing, c.policy), all, nil, nil, nil},
		"the CA is in between":      {certificatesOf(c.leaf), all, certificatesOf(c.issuing), nil, nil},
		"another's root":            {certificatesOf(other.leaf, other.issuing, other.policy, other.root), nil, root, nil, nil},
		"cross-signed root":         {certificatesOf(c.leaf, c.issuing, c.policy, cross), all, root, nil, nil},
		"the former root is the CA": {certificatesOf(c.leaf, c.issuing, c.policy, cross, second), nil, certificatesOf(other.root), []string{"AIV Root CA (valid until 2027-11-23) for nothing"}, nil},
		"two cross certificates":    {certificatesOf(c.leaf, c.issuing, c.policy, cross, second), all, root, []string{"AIV Root CA (valid until 2027-11-23) for nothing"}, nil},
		"disorder above":            {certificatesOf(c.leaf, c.issuing, c.policy, former, third), all, root, []string{"Former Root (valid until 2027-11-23) for nothing"}, nil},
		"twice":                     {certificatesOf(c.leaf, c.leaf, c.issuing, c.policy, c.issuing), all, root, []string{hub + " (valid until 2027-11-23) twice", "AIV Issuing CA 1 (valid until 2027-11-23) twice"}, nil},
		"one too many":              {certificatesOf(c.leaf, c.issuing, other.issuing, c.policy), all, root, []string{"AIV Issuing CA 1 (valid until 2027-11-23) for nothing"}, nil},
		"the leaf only":             {certificatesOf(c.leaf), all, root, nil, []string{"intermediate", "AIV Issuing CA 1", "the server was given its own certificate only"}},
		"the lab's leaf only":       {short[:1], short, root, nil, []string{"intermediate", "AIV Issuing CA 2"}},
		"one is missing":            {certificatesOf(c.leaf, c.issuing), all, root, nil, []string{"AIV Policy CA"}},
		"one is missing, one extra": {certificatesOf(c.leaf, c.issuing, cross), all, root, nil, []string{"AIV Policy CA"}},
		"nobody has the rest":       {certificatesOf(c.leaf), certificatesOf(c.leaf), root, nil, []string{"without its chain"}},
		"reversed":                  {certificatesOf(c.leaf, c.policy, c.issuing), all, root, nil, []string{"the order is wrong", "AIV Issuing CA 1 must come before AIV Policy CA"}},
		"the root in between":       {certificatesOf(direct, c.root, issuing), short, root, nil, []string{"the order is wrong"}},
		"a cross one in between":    {certificatesOf(c.leaf, c.issuing, cross, c.policy), all, root, nil, []string{"the order is wrong"}},
	} {
		superfluous, f := judgeServed(served{"vip:443", test.chain}, test.bundle, test.known, now, 30)
		says(t, name, asError(f), test.words...)
		if !slices.Equal(superfluous, test.superfluous) {
			t.Errorf("%s: superfluous %q, want %q", name, superfluous, test.superfluous)
		}
	}
}

// An authority that was renewed with the same key has two certificates of one name: the valid one
// is the one that is needed, wherever they lie.
func TestRenewedAuthority(t *testing.T) {
	c := newCompany(t)
	root := certificatesOf(c.root)
	expired := issueFor(t, "AIV Issuing CA 1", c.policy, c.issuing.key, func(template *x509.Certificate) {
		authority(template)
		template.NotAfter = now.AddDate(0, 0, -1)
	})
	for name, test := range map[string]struct {
		chain       []*x509.Certificate
		superfluous []string
		words       []string
	}{
		"the expired one first": {certificatesOf(c.leaf, expired, c.issuing, c.policy), []string{"AIV Issuing CA 1 (valid until 2026-11-22) for nothing"}, nil},
		"the expired one last":  {certificatesOf(c.leaf, c.issuing, c.policy, expired), []string{"AIV Issuing CA 1 (valid until 2026-11-22) for nothing"}, nil},
		"the expired one alone": {certificatesOf(c.leaf, expired, c.policy), nil, []string{"vip:443 sends", "AIV Issuing CA 1 expired on 2026-11-22", "put the file's AIV Issuing CA 1 (valid until 2027-11-23) in its place"}},
	} {
		superfluous, f := judgeServed(served{"vip:443", test.chain}, c.all(), root, now, 30)
		says(t, name, asError(f), test.words...)
		if !slices.Equal(superfluous, test.superfluous) {
			t.Errorf("%s: superfluous %q, want %q", name, superfluous, test.superfluous)
		}
	}
	for name, test := range map[string]struct {
		certificates []*x509.Certificate
		words        []string
	}{
		"expired first": {certificatesOf(c.leaf, expired, c.issuing, c.policy, c.root), nil},
		"expired last":  {certificatesOf(c.leaf, c.issuing, c.policy, c.root, expired), nil},
		"expired alone": {certificatesOf(c.leaf, expired, c.policy, c.root), []string{"AIV Issuing CA 1 expired on 2026-11-22"}},
	} {
		b := bundleOf(test.certificates...)
		says(t, name, asError(judgeIntermediates(b, root, now, 30)), test.words...)
		if unusual := b.disorder(); len(test.words) == 0 && unusual != "AIV Issuing CA 1 (valid until 2026-11-22) does not belong to the chain" {
			t.Errorf("%s: %s", name, unusual)
		}
	}
}

// The valid certificate of an authority may lead to one above it that is not valid: the way whose
// certificates are all valid is the one to take.
func TestValidWay(t *testing.T) {
	c := newCompany(t)
	former := issue(t, "Former Policy CA", c.root, func(template *x509.Certificate) {
		authority(template)
		template.NotAfter = now.AddDate(0, 0, -1)
	})
	cross := issueFor(t, "AIV Issuing CA 1", former, c.issuing.key, authority)
	way := wayTo(certificatesOf(c.root), c.leaf.Certificate, certificatesOf(cross, former, c.issuing, c.policy), now)
	if want := certificatesOf(c.leaf, c.issuing, c.policy); !slices.EqualFunc(way, want, (*x509.Certificate).Equal) {
		t.Errorf("the way is %s", listed(way))
	}
}
