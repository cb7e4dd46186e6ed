package pki

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

const (
	// IssuingCA signs JupyterHub's certificate; the company's CA signs it.
	IssuingCA = "issuing-ca"
	// HubServer is what the load balancer or the ingress controller serves under JupyterHub's
	// name: .crt holds the server certificate and after it the issuing authority's.
	HubServer = "jupyterhub"
	// IssuingName is the common name of the issuing authority.
	IssuingName = "AIV Lab Issuing CA 1 (simulated)"
)

// HubNames are the names that JupyterHub's certificate is for.
func HubNames() []string { return []string{topology.HubHost, "*." + topology.HubHost} }

// Hub is JupyterHub's certificate: what is served, and the files that were handed over. These
// are files of their own, because the two can differ, and some faults make them differ.
type Hub struct {
	Served Pair
	// Bundle is the chain with the root, Key its private key, both as the answers name them.
	Bundle, Key []byte
}

// HubRequest is for JupyterHub's certificate.
func HubRequest() Request {
	return Request{CommonName: topology.HubHost, Organization: []string{"AIV (simulated)"}, Hosts: HubNames()}
}

// IssueHub makes a certificate for JupyterHub with its chain.
func IssueHub(company, issuing *Authority, request Request) (Hub, error) {
	leaf, err := issuing.Issue(request)
	if err != nil {
		return Hub{}, err
	}
	chain := slices.Concat(leaf.Certificate, issuing.Certificate)
	return Hub{Served: Pair{Certificate: chain, Key: leaf.Key}, Bundle: slices.Concat(chain, company.Certificate), Key: leaf.Key}, nil
}

// Write stores the certificate where it is served from and at the files that the answers name.
func (h Hub) Write(dir state.Dir) error {
	return errors.Join(
		os.WriteFile(dir.HubBundle(), h.Bundle, 0o644),
		os.WriteFile(dir.HubKey(), h.Key, 0o600),
		// Last, because Complete looks for it.
		h.Served.Write(dir.PKI(HubServer)))
}

// ReadHub returns what Write stored.
func ReadHub(dir state.Dir) (Hub, error) {
	var h Hub
	var failed []error
	for path, content := range map[string]*[]byte{
		dir.PKI(HubServer) + ".crt": &h.Served.Certificate, dir.PKI(HubServer) + ".key": &h.Served.Key,
		dir.HubBundle(): &h.Bundle, dir.HubKey(): &h.Key,
	} {
		var err error
		*content, err = os.ReadFile(path)
		failed = append(failed, err)
	}
	return h, errors.Join(failed...)
}

// issueHub makes the issuing authority and JupyterHub's certificate.
func issueHub(dir state.Dir, company *Authority) error {
	issuing, err := company.NewIntermediate(IssuingName)
	if err != nil {
		return err
	}
	hub, err := IssueHub(company, issuing, HubRequest())
	if err != nil {
		return err
	}
	return errors.Join(issuing.Write(dir.PKI(IssuingCA)), hub.Write(dir))
}

// HubPeriod returns when JupyterHub's certificate is valid, as the answers say it; of one made
// now where there is none yet.
func HubPeriod(dir state.Dir, now time.Time) (from, until time.Time, err error) {
	text, err := os.ReadFile(dir.HubBundle())
	if errors.Is(err, fs.ErrNotExist) {
		return now.Add(-backdate).UTC(), now.Add(Lifetime).UTC(), nil
	}
	block, _ := pem.Decode(text)
	if err != nil || block == nil {
		return from, until, errors.Join(fmt.Errorf("%s holds no certificate", dir.HubBundle()), err)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return from, until, err
	}
	return leaf.NotBefore, leaf.NotAfter, nil
}
