package certificates

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// issued tells whether parent signed child. An algorithm that is too weak to be accepted still
// tells who signed: that it is weak is another finding. Such a signature is not verified, and
// the key's identifiers must do where there are any.
func issued(parent, child *x509.Certificate) bool {
	if !bytes.Equal(parent.RawSubject, child.RawIssuer) {
		return false
	}
	err := parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
	if errors.As(err, new(x509.InsecureAlgorithmError)) {
		return len(child.AuthorityKeyId) == 0 || len(parent.SubjectKeyId) == 0 || bytes.Equal(child.AuthorityKeyId, parent.SubjectKeyId)
	}
	return err == nil
}

func selfSigned(c *x509.Certificate) bool { return issued(c, c) }

// isAuthority tells whether a certificate may sign others. One of version 1, from before there
// were extensions, does not say so.
func isAuthority(c *x509.Certificate) bool { return c.BasicConstraintsValid && c.IsCA }

// pathOf returns the way from leaf up to a root, as far as the certificates of pool go. A root
// is taken before a certificate of the same name that another authority signed.
func pathOf(leaf *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	path := []*x509.Certificate{leaf}
	for {
		last := path[len(path)-1]
		if selfSigned(last) {
			return path
		}
		next := issuerIn(pool, last)
		if next == nil || contains(path, next) {
			return path
		}
		path = append(path, next)
	}
}

// wayTo returns the certificates from leaf up to the last that a client needs to be given: one
// that an anchor signed, or a root. It is nil where pool does not have them. A way to a root is
// taken before one to an anchor that is none, and one that is valid now before another.
func wayTo(anchors []*x509.Certificate, leaf *x509.Certificate, pool []*x509.Certificate, now time.Time) []*x509.Certificate {
	for _, ends := range [][]*x509.Certificate{rootsIn(anchors), anchors} {
		for _, steps := range [][]*x509.Certificate{validAt(pool, now), validFirst(pool, now)} {
			if way := climb(ends, leaf, steps); way != nil {
				return way
			}
		}
	}
	return nil
}

// climb is wayTo for anchors of one kind. An authority has several certificates where others
// signed it too (cross-signing): all are tried.
func climb(anchors []*x509.Certificate, leaf *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	var seen []*x509.Certificate
	var from func(c *x509.Certificate) []*x509.Certificate
	from = func(c *x509.Certificate) []*x509.Certificate {
		if selfSigned(c) || issuerIn(anchors, c) != nil {
			return []*x509.Certificate{c}
		}
		seen = append(seen, c)
		for _, next := range pool {
			if contains(seen, next) || !issued(next, c) {
				continue
			}
			if way := from(next); way != nil {
				return append([]*x509.Certificate{c}, way...)
			}
		}
		return nil
	}
	return from(leaf)
}

// issuerIn returns the certificate of pool that signed c, nil if there is none.
func issuerIn(pool []*x509.Certificate, c *x509.Certificate) *x509.Certificate {
	var found *x509.Certificate
	for _, candidate := range pool {
		if issued(candidate, c) && (found == nil || !selfSigned(found) && selfSigned(candidate)) {
			found = candidate
		}
	}
	return found
}

// validAt returns the certificates of pool that are valid now.
func validAt(pool []*x509.Certificate, now time.Time) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(pool), func(c *x509.Certificate) bool { return now.Before(c.NotBefore) || now.After(c.NotAfter) })
}

// validFirst moves the certificates that are not valid now behind the others. An authority that
// was renewed with the same key has both kinds, of the same name.
func validFirst(pool []*x509.Certificate, now time.Time) []*x509.Certificate {
	valid := validAt(pool, now)
	return append(valid, slices.DeleteFunc(slices.Clone(pool), func(c *x509.Certificate) bool { return contains(valid, c) })...)
}

func contains(pool []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(pool, c.Equal)
}

// rootsIn returns the self-signed authorities among certificates.
func rootsIn(certificates []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(certificates), func(c *x509.Certificate) bool { return !isAuthority(c) || !selfSigned(c) })
}

// serverIn returns the certificate that is a server's and no authority's: the one for the name,
// or else the first. A server that signed its own certificate may call it an authority's.
func serverIn(certificates []*x509.Certificate, name string) *x509.Certificate {
	var first *x509.Certificate
	for _, c := range certificates {
		if isAuthority(c) && (len(certificates) > 1 || len(c.DNSNames) == 0) {
			continue
		}
		if name != "" && c.VerifyHostname(name) == nil {
			return c
		}
		if first == nil {
			first = c
		}
	}
	return first
}

func poolOf(certificates []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return pool
}
