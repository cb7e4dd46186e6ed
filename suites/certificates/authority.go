package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const caKey = "certificates.caFile"

// readAuthorities returns the certificates of the CA file, in PEM and each of an authority.
func readAuthorities(path string) ([]*x509.Certificate, *finding.Finding) {
	expected := "the company's CA certificate, in PEM, at " + caKey
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(err, caKey)
	}
	c, f := read(text, "")
	switch {
	case c.kind.readable() && c.kind != inPEM:
		f = finding.Failed("", "it is "+string(c.kind), "it was exported in a binary form, which the programs that are given it do not read",
			"convert it: openssl x509 -inform DER -in FILE -out FILE.pem, or export it as Base-64 encoded X.509")
	case f == nil && len(c.certificates) == 0:
		f = finding.Failed("", "it has no certificate", "another file was named than the CA's", "set "+caKey+" to the CA's certificate")
	}
	if f != nil {
		f.Expected, f.Found = expected, path+": "+f.Found
		return nil, f
	}
	for _, one := range c.certificates {
		if !isAuthority(one) {
			return nil, finding.Failed(expected, fmt.Sprintf("%s holds %s, which does not say CA:TRUE in its basic constraints", path, called(one)),
				"a server's certificate was taken for the CA's, or put beside it", "leave only certificates of authorities in the file: the root's")
		}
	}
	if c.openKeys > 0 {
		return nil, finding.Failed(expected, path+" holds a private key as well", "the CA's own key, or a server's, was exported with it",
			"remove the key from the file, and tell the owners of the CA: whoever has the CA's key can pretend to be any server")
	}
	return c.certificates, nil
}

// judgeValidity says whether the CA file's certificates are valid now. One of several may have
// expired: it is warned of.
func judgeValidity(authorities []*x509.Certificate, now time.Time) (warning string, f *finding.Finding) {
	valid := 0
	for _, c := range authorities {
		switch {
		case now.Before(c.NotBefore):
			warning = fmt.Sprintf("%s is not valid before %s", called(c), day(c.NotBefore))
		case now.After(c.NotAfter):
			warning = fmt.Sprintf("%s expired on %s", called(c), day(c.NotAfter))
		default:
			valid++
		}
	}
	if valid == 0 {
		return "", finding.Failed("a CA certificate that is valid now", warning, "the CA has a newer certificate, or the runner's clock is wrong",
			"set "+caKey+" to the CA's present certificate")
	}
	return warning, nil
}

// rootless says what is wrong with a chain that ends below its root, "" for nothing: Go and
// browsers take any certificate that they are given for an anchor, OpenSSL without
// X509_V_FLAG_PARTIAL_CHAIN only one that signed itself.
func rootless(chain []*x509.Certificate) string {
	anchor := chain[len(chain)-1]
	if selfSigned(anchor) {
		return ""
	}
	return fmt.Sprintf("the CA file has the intermediate certificate of %s, and not the root above it: %s, which signed it, is missing", called(anchor), distinguished(anchor.Issuer))
}

// judgeAnchor says whether a client that trusts only the CA file accepts what the server shows.
// What else than the CA keeps it from that is another item's to report. handed are the
// certificates of the file with the chain, none if it is not known.
func judgeAnchor(s served, authorities, handed []*x509.Certificate, name string, now time.Time) (chain []*x509.Certificate, err error) {
	expected := fmt.Sprintf("the CA file is all that is needed to trust the certificate of %s at %s", name, s.address)
	verify := func(anchors, intermediates []*x509.Certificate) ([]*x509.Certificate, error) {
		chains, err := s.chain[0].Verify(x509.VerifyOptions{Roots: poolOf(anchors), Intermediates: poolOf(intermediates), DNSName: name, CurrentTime: now})
		if err != nil {
			return nil, err
		}
		return chains[0], nil
	}
	chain, problem := verify(authorities, s.chain[1:])
	if problem == nil {
		if whole, err := verify(rootsIn(authorities), slices.Concat(s.chain[1:], authorities)); err == nil {
			chain = whole // up to the root, which some clients insist on: see rootless
		}
		return chain, nil
	}
	found := "the server certificate of " + called(s.chain[0]) + " is not accepted: " + problem.Error()
	see := func(item, why string) error {
		return finding.NotDecided(expected, found, why, "see item "+item).Because(problem)
	}
	var invalid x509.CertificateInvalidError
	switch {
	case isForAnother(s.chain[0], name):
		return nil, see("3.1.3.1", "it is for other names: that says nothing about the CA")
	case errors.As(problem, &invalid) && s.chain[0].Equal(invalid.Cert) && invalid.Reason == x509.Expired:
		return nil, see("3.1.5", "it is not valid now (expired, or not yet valid): that says nothing about the CA")
	case weakSignature(s.chain[0]) != "":
		return nil, see("3.1.3.1", weakSignature(s.chain[0]))
	}
	if _, err := verify(authorities, slices.Concat(handed, s.chain[1:])); err == nil {
		return nil, see("3.1.3.2", "the server does not send the intermediate certificate that the file "+bundleKey+" holds")
	}
	path := pathOf(s.chain[0], append(s.chain[1:len(s.chain):len(s.chain)], handed...))
	for _, c := range path[1:] {
		if weakSignature(c) != "" || now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return nil, see("3.1.3.2", called(c)+", which is between them, is too weak, or not valid now")
		}
	}
	top := path[len(path)-1]
	if issuer := issuerIn(authorities, top); issuer != nil || contains(authorities, top) {
		return nil, see("3.1.3.2", "the chain leads to the CA, but one of its certificates must not sign the next")
	}
	root := distinguished(top.Issuer)
	if selfSigned(top) {
		root = identity(top)
	}
	return nil, finding.Failed(expected, fmt.Sprintf("the served certificate of %s leads to the CA %s, which is not in the CA file: that one holds %s", called(s.chain[0]), root, identities(authorities)),
		"the certificate was issued by another CA than the one that was provided, or by another generation of it", "set "+caKey+" to the certificate of the CA that issued it").Because(problem)
}

// podLimit bounds the pod that looks: its start, and the connection.
const podLimit = 2 * time.Minute

// maxTrusted is how much a pod is given in one environment variable; Linux takes 128 KiB.
const maxTrusted = 100 << 10

// tryFromPod connects from a pod that trusts only the given certificates.
func tryFromPod(ctx context.Context, address, name string, trusted []*x509.Certificate) error {
	expected := fmt.Sprintf("a pod that trusts only the CA file accepts the certificate of %s at %s", name, address)
	ctx, cancel := context.WithTimeout(ctx, podLimit)
	defer cancel()
	check.Step("connect to %s from a pod", address)
	options := probe.ConnectOptions{ServerName: name, Timeout: lookLimit}
	pod, err := check.Throwaways().Pod(ctx, throwaway.PodOptions{
		Name: "tls", Deadline: podLimit, Args: options.Args("tls", address),
		Env: []corev1.EnvVar{{Name: probe.CAVariable, Value: string(encoded(trusted))}},
	})
	if err != nil {
		return notRun(err, expected)
	}
	report, err := pod.Finished(ctx)
	if err != nil {
		return notRun(err, expected)
	}
	result, err := probe.Decode[probe.Connection](report.Message)
	if report.ExitCode != 0 || err != nil {
		return finding.NotDecided(expected, fmt.Sprintf("the probe could not measure: exit code %d, %s", report.ExitCode, report.Message),
			"the image that holds the probe is of another version than the runner", "set runner.image to this version's").Because(err)
	}
	check.Evidence("pod on node", report.Node)
	return judgePod(result, expected)
}

// judgePod reads what a pod met with, where the runner has just met with no trouble.
func judgePod(result probe.Connection, expected string) error {
	switch {
	case result.OK():
		return nil
	case result.Trouble.Kind == probe.BadCert:
		found := result.Trouble.Message
		if c := result.Certificate; c != nil {
			found = fmt.Sprintf("the pod is shown the certificate of %s, issued by %s: %s", c.Subject, c.Issuer, found)
		}
		return finding.Failed(expected, found, "between pods and the load balancer something else answers (a proxy that inspects TLS), or the node's clock is wrong",
			"let pods reach the load balancer directly, or correct the node's clock")
	}
	return finding.NotDecided(expected, result.Broke+" broke: "+result.Trouble.Error(), "pods do not reach the load balancer, which says nothing about its certificate",
		"open the way from the namespace's pods to the load balancer, then run it again")
}

// notRun is a pod that did not run: that says nothing about the certificate.
func notRun(err error, expected string) error {
	f := finding.As(err)
	if f == nil {
		return finding.NotDecided(expected, err.Error(), "the pod did not run to its end", "run it again").Because(err)
	}
	return finding.NotDecided(expected, f.Found, f.Why, f.Do).Because(err)
}

// encoded renders certificates in PEM.
func encoded(certificates []*x509.Certificate) []byte {
	var text []byte
	for _, c := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// known returns the CA file's certificates, none where it is not answered or of no use: item
// 3.1.1 says so.
func known(a answers.Certificates) []*x509.Certificate {
	if a.CAFile == "" {
		return nil
	}
	authorities, _ := readAuthorities(a.CAFile)
	return authorities
}
