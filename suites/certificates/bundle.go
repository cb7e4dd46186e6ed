package certificates

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"crypto/x509"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

const bundleKey = "certificates.bundle"

// bundle is the file with the server certificate and its chain.
type bundle struct {
	path string
	content
	// leaf is the server's certificate, nil where the file has none.
	leaf *x509.Certificate
	// chain leads from leaf up to the root, as far as the file's certificates go.
	chain []*x509.Certificate
}

// problem is a finding that is one item's to report: others that need the same thing are
// undecided then, so that one defect is one failure.
type problem struct {
	*finding.Finding
	item string
}

// problemFor returns the problem as the item id has it, nil for none.
func (p *problem) problemFor(id, expected string) error {
	switch {
	case p == nil:
		return nil
	case p.item == id || p.Undecided:
		f := *p.Finding
		if p.item == id || f.Expected == "" {
			f.Expected = expected
		}
		return &f
	}
	return finding.NotDecided(expected, p.Found, p.Why, "see item "+p.item)
}

// readBundle reads the file. name is JupyterHub's, "" if it is not answered.
func readBundle(path, password, name string) (bundle, *problem) {
	b := bundle{path: path}
	text, err := os.ReadFile(path)
	if err != nil {
		return b, &problem{unreadable(err, bundleKey), "3.1.3.1"}
	}
	var f *finding.Finding
	if b.content, f = read(text, password); f != nil {
		f.Found = path + ": " + f.Found
		return b, &problem{f, "3.1.2"}
	}
	if b.leaf = serverIn(b.certificates, name); b.key != nil {
		// In a PFX file the server's certificate is the one whose private key is there too.
		for _, c := range b.certificates {
			if matches(b.key, c) {
				b.leaf = c
			}
		}
	}
	if b.leaf == nil {
		return b, &problem{noServer(b), "3.1.3.1"}
	}
	b.chain = pathOf(b.leaf, validFirst(b.certificates, time.Now()))
	return b, nil
}

// unreadable is the finding for a file that the runner cannot read. One that is not there was
// not provided; what else keeps the runner from it says nothing about the file.
func unreadable(err error, key string) *finding.Finding {
	f := finding.Failed("a file at "+key, err.Error(), "it was not provided, or the answers file names another place than where it lies for the runner",
		"put it where the runner finds it, and set "+key).Because(err)
	if !errors.Is(err, fs.ErrNotExist) {
		f.Undecided, f.Why, f.Do = true, "the runner may not read it", "give the runner the right to read it"
	}
	return f
}

func noServer(b bundle) *finding.Finding {
	found := b.path + " has no certificate"
	if n := len(b.certificates); n > 0 {
		found = fmt.Sprintf("%s has only certificates of authorities: %s", b.path, listed(b.certificates))
	}
	return finding.Failed("", found, "the CA's chain was handed over without the server's certificate, or another file was named", "add the server's certificate, or correct "+bundleKey)
}

// openBundle reads the answered file for the item id, and ends the check where its server
// certificate is not known. expected is what the item asks for.
func openBundle(ctx context.Context, a answers.Certificates, id, expected string) bundle {
	b, p := readBundle(a.Bundle, pfxPassword(ctx, a), check.Answers().DNS.Domain)
	check.Evidence("file", fmt.Sprintf("%s (%s), %d certificates", b.path, b.kind, len(b.certificates)))
	if err := p.problemFor(id, expected); err != nil {
		check.NoError(err, "read "+a.Bundle)
	}
	return b
}

// pfxPassword resolves the password of a PFX file, "" where none is answered.
func pfxPassword(ctx context.Context, a answers.Certificates) string {
	if !a.PFXPassword.IsSet() {
		return ""
	}
	return check.Secret(ctx, a.PFXPassword)
}

// listed names certificates in their order.
func listed(certificates []*x509.Certificate) string {
	text := ""
	for i, c := range certificates {
		if i > 0 {
			text += ", "
		}
		text += called(c)
	}
	return text
}

func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }
