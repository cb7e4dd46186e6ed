package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
)

func TestForeignCertificates(t *testing.T) {
	c := newCompany(t)
	named := func(names ...string) *pair {
		return issue(t, names[0], c.issuing, also(func(template *x509.Certificate) { template.DNSNames = names }))
	}
	companys, wrong := named("*.aiv.internal", "aiv.internal"), named("x.aiv.internal")
	fake := issue(t, "TRAEFIK DEFAULT CERT", nil, func(template *x509.Certificate) { template.DNSNames = []string{"x.traefik.default"} })
	another := issue(t, "TRAEFIK DEFAULT CERT", nil, func(template *x509.Certificate) { template.DNSNames = []string{"y.traefik.default"} })
	show := func(p *pair) served { return served{"vip:443", certificatesOf(p)} }
	for name, test := range map[string]struct{ shown, leaf *pair }{
		"ours":                            {c.leaf, nil},
		"the file's, for another name":    {wrong, wrong},
		"a wildcard, no file":             {companys, nil},
		"the file's, a wildcard":          {companys, companys},
		"another of the file's wildcards": {named("AIV.internal", "*.aiv.internal"), companys},
		"another of the file's names":     {named(hub, "*."+hub), c.leaf},
		"with the name":                   {named(hub, "*.aiv.internal"), c.leaf},
	} {
		var leaf *x509.Certificate
		if test.leaf != nil {
			leaf = test.leaf.Certificate
		}
		says(t, name, asError(judgeForeign(show(test.shown), leaf, hub, func() beside {
			t.Errorf("%s: another look, for nothing", name)
			return beside{}
		})))
	}
	const other = "conformance-x.aiv.internal"
	for name, test := range map[string]struct {
		shown  *pair
		beside beside
		words  []string
	}{
		"a default wildcard":                   {companys, beside{name: other, shown: companys.Certificate}, []string{"*.aiv.internal", other + ", is shown the same", "no Ingress for " + hub, "make the file's certificate the default one"}},
		"a wildcard in use":                    {companys, beside{name: other, shown: fake.Certificate}, nil},
		"a wildcard in use, no default":        {companys, beside{name: other, refused: true}, nil},
		"a wildcard, and no other look":        {companys, beside{name: other}, []string{"either there is no Ingress for " + hub, "uses another Secret than the file's", "run it again", "TLS secret"}},
		"a default certificate":                {fake, beside{name: other, shown: fake.Certificate}, []string{"TRAEFIK DEFAULT CERT", "is shown the same", "no Ingress for " + hub}},
		"a default certificate of another pod": {fake, beside{name: other, shown: another.Certificate}, []string{"either there is no Ingress for " + hub}},
		"for other names, no default":          {wrong, beside{name: other, refused: true}, []string{"either there is no Ingress for " + hub}},
	} {
		f := judgeForeign(show(test.shown), c.leaf.Certificate, hub, func() beside { return test.beside })
		says(t, name, asError(f), test.words...)
		if f != nil && !f.Undecided {
			t.Errorf("%s: a certificate that may be a default one decides", name)
		}
	}
	says(t, "a wildcard in use is another one", asError(judgeSame(show(companys), c.leaf.Certificate)), "uses another Secret", "give the load balancer")
}

func TestLookBeside(t *testing.T) {
	c := newCompany(t)
	strict := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName != hub {
			return nil, errors.New("unknown name")
		}
		return nil, nil
	}}
	for name, test := range map[string]struct {
		address        string
		shown, refused bool
	}{
		"a default certificate": {serve(t, c.leaf, &tls.Config{}), true, false},
		"none":                  {serve(t, c.leaf, strict), false, true},
		"no connection":         {"127.0.0.1:1", false, false},
	} {
		b := lookBeside(t.Context(), test.address, hub)
		if b.shown != nil != test.shown || b.refused != test.refused || b.found == "" {
			t.Errorf("%s: %+v", name, b)
		}
		if !strings.HasPrefix(b.name, "conformance-") || !strings.HasSuffix(b.name, ".aiv.internal") || strings.HasSuffix(b.name, hub) {
			t.Errorf("%s: looked under %s", name, b.name)
		}
	}
}
