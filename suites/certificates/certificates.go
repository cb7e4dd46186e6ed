// Package certificates checks section 3, TLS/SSL certificates: the files that were handed over
// (the company's CA, the server certificate with its chain and private key), and what the load
// balancer really shows under JupyterHub's name. It never prints, copies or stores a private
// key, and sends nothing to the load balancer but the name, or one beside it that nobody made.
package certificates

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("3.1", func() {
	check.Item("3.1.1", proveAuthority)
	check.Item("3.1.2", proveFormat)
	check.Item("3.1.3.1", proveServer)
	check.Item("3.1.3.2", proveIntermediates)
	check.Item("3.1.3.3", proveRoot)
	check.Item("3.1.4", proveKey)
	check.Item("3.1.5", provePeriod)
})

// proveAuthority reads the CA file and has the served certificate verified with it alone, here
// and in a pod.
func proveAuthority(ctx context.Context, a answers.Certificates) {
	check.Step("read %s", a.CAFile)
	authorities, f := readAuthorities(a.CAFile)
	if f != nil {
		check.NoError(f, "read the CA file")
	}
	for _, c := range authorities {
		check.Evidence("CA", fmt.Sprintf("%s, %s, valid until %s", identity(c), keyText(c), day(c.NotAfter)))
	}
	warning, f := judgeValidity(authorities, time.Now())
	if f != nil {
		check.NoError(f, "read the CA file")
	}
	if warning != "" {
		check.Warn("the CA file: "+warning, "the CA was renewed, and its old certificate is still there", "remove it from the file once nothing needs it")
	}
	check.Require("dns.domain")
	all := check.Answers()
	var b bundle
	if a.Bundle != "" {
		b, _ = readBundle(a.Bundle, pfxPassword(ctx, a), all.DNS.Domain)
	}
	s := look(ctx, b.leaf)
	chain, err := judgeAnchor(s, authorities, b.certificates, all.DNS.Domain, time.Now())
	check.NoError(err, "verify the served certificate")
	check.Evidence("trusted by way of", listed(chain))
	if missing := rootless(chain); missing != "" {
		check.Warn(missing, "OpenSSL does not trust an intermediate certificate by itself, nor do Python programs before 3.13: in JupyterHub's pods they would refuse what the load balancer shows",
			"add the certificate of the root to the file")
	}
	if len(encoded(authorities)) > maxTrusted {
		authorities = slices.DeleteFunc(slices.Clone(chain), func(c *x509.Certificate) bool { return !contains(authorities, c) })
	}
	check.NoError(tryFromPod(ctx, s.address, all.DNS.Domain, authorities), "connect from a pod")
	check.Evidence("accepted by a pod that trusts", listed(authorities))
}

func proveFormat(ctx context.Context, a answers.Certificates) {
	check.Step("read %s", a.Bundle)
	b, unread := readBundle(a.Bundle, pfxPassword(ctx, a), check.Answers().DNS.Domain)
	if unread != nil && b.kind == inPFX && a.Format == answers.PFX {
		check.Require(passwordKey) // few open without one
	}
	check.Evidence("answered", string(a.Format))
	check.Evidence("found", string(b.kind))
	check.NoError(judgeFormat(b, a.Format, unread), "read "+a.Bundle)
	if b.openKeys > 0 {
		check.Warn(b.path+" holds a private key that no password protects", "certificates and key were exported together",
			"keep the key in a file or Secret of its own: certificates are shown to everybody")
	}
}

func proveServer(ctx context.Context, a answers.Certificates) {
	check.Step("read %s", a.Bundle)
	b := openBundle(ctx, a, "3.1.3.1", "a server certificate in "+a.Bundle)
	check.Evidence("common name", b.leaf.Subject.CommonName)
	check.Evidence("subject alternative names", namesOf(b.leaf))
	check.Evidence("issuer", distinguished(b.leaf.Issuer))
	check.Evidence("key", keyText(b.leaf))
	check.Evidence("signature", b.leaf.SignatureAlgorithm.String())
	if f := judgeServer(b.leaf, a, check.Answers().DNS.Domain); f != nil {
		check.NoError(f, "judge the server certificate")
	}
	check.Require("dns.domain", "certificates.commonName", "certificates.subjectAltNames", "certificates.issuer")
}

func proveIntermediates(ctx context.Context, a answers.Certificates) {
	check.Step("read %s", a.Bundle)
	b := openBundle(ctx, a, "3.1.3.2", "the intermediate certificates in "+a.Bundle)
	check.Evidence("chain in the file", listed(b.chain))
	if len(between(b.chain)) == 0 && selfSigned(b.chain[len(b.chain)-1]) {
		check.Evidence("intermediates", "none: the root signed the server certificate itself")
	}
	minDays := check.Answers().Runner.DaysLeft()
	if f := judgeIntermediates(b, known(a), time.Now(), minDays); f != nil {
		check.NoError(f, "judge the chain in the file")
	}
	if unusual := b.disorder(); unusual != "" {
		check.Warn(b.path+": "+unusual, "it was put together by hand",
			"put the server's certificate first, then each one that signed the one before it: nginx and others take the file as it is")
	}
	s := look(ctx, b.leaf)
	superfluous, f := judgeServed(s, b.certificates, known(a), time.Now(), minDays)
	if f != nil {
		check.NoError(f, "judge the served chain")
	}
	if len(superfluous) > 0 {
		check.Warn(s.address+" sends "+strings.Join(superfluous, ", "), "the served file was put together by hand, or holds an authority's former certificates: some old clients refuse that",
			"leave the server's certificate in the served file, and after each one its issuer's that is valid now")
	}
}

func proveRoot(ctx context.Context, a answers.Certificates) {
	check.Step("read %s", a.Bundle)
	b := openBundle(ctx, a, "3.1.3.3", "the root CA's certificate in "+a.Bundle)
	for _, root := range rootsIn(b.certificates) {
		check.Evidence("root", fmt.Sprintf("%s, %s, valid until %s", identity(root), keyText(root), day(root.NotAfter)))
	}
	if f := judgeRoot(b, known(a), time.Now(), check.Answers().Runner.DaysLeft()); f != nil {
		check.NoError(f, "judge the root certificate")
	}
}

// proveKey holds the private key against the server certificate. That of a PFX file is in it.
func proveKey(ctx context.Context, a answers.Certificates) {
	b := openBundle(ctx, a, "3.1.4", "a private key for the server certificate in "+a.Bundle)
	var keys []privateKey
	if b.key != nil {
		keys = append(keys, privateKey{b.key, "in the PFX file"})
	}
	if b.key == nil || a.PrivateKey.IsSet() {
		check.Require(keyKey)
		check.Step("read the private key")
		password := ""
		if a.PrivateKeyPassword.IsSet() {
			password = check.Secret(ctx, a.PrivateKeyPassword)
		}
		own, f := readKeys(check.Secret(ctx, a.PrivateKey), password)
		if f != nil {
			check.NoError(f, "read the private key")
		}
		keys = own
	}
	key, f := judgeKeys(keys, b.leaf, b.certificates)
	if f != nil {
		check.NoError(f, "hold the key against the certificate")
	}
	check.Evidence("private key", keyText(b.leaf)+", "+key.form)
	check.Evidence("public key", fingerprint(b.leaf.PublicKey))
}

func provePeriod(ctx context.Context, a answers.Certificates) {
	minDays := check.Answers().Runner.DaysLeft()
	b := openBundle(ctx, a, "3.1.5", "a server certificate that is valid until "+a.ValidUntil.String())
	check.Evidence("valid from", b.leaf.NotBefore.UTC().Format(time.RFC3339))
	check.Evidence("valid until", b.leaf.NotAfter.UTC().Format(time.RFC3339))
	check.Evidence("days left", int(time.Until(b.leaf.NotAfter).Hours()/24))
	if f := judgePeriod(b.leaf, a, minDays, time.Now()); f != nil {
		check.NoError(f, "judge the validity period")
	}
	if days := int(b.leaf.NotAfter.Sub(b.leaf.NotBefore).Hours() / 24); days > longestForApple {
		check.Warn(fmt.Sprintf("%s is valid for %d days", called(b.leaf), days), fmt.Sprintf("Safari, and all browsers of iPhones, refuse more than %d", longestForApple), "have it issued for a year")
	}
	s := look(ctx, b.leaf)
	if f := judgeSame(s, b.leaf); f != nil {
		check.NoError(f, "compare the served certificate")
	}
}
