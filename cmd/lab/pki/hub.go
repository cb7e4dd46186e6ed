package pki

import (
	"errors"
	"os"
	"slices"

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

// issueHub makes the issuing authority and JupyterHub's certificate, once for the server and
// once, with the root added, as the files that the answers name. They are files of their own:
// what is handed over and what is served can differ, and some faults make them.
func issueHub(dir state.Dir, company *Authority) error {
	issuing, err := company.NewIntermediate(IssuingName)
	if err != nil {
		return err
	}
	leaf, err := issuing.Issue(Request{CommonName: topology.HubHost, Organization: []string{"AIV (simulated)"}, Hosts: HubNames()})
	if err != nil {
		return err
	}
	served := Pair{Certificate: slices.Concat(leaf.Certificate, issuing.Certificate), Key: leaf.Key}
	return errors.Join(
		issuing.Write(dir.PKI(IssuingCA)),
		os.WriteFile(dir.HubBundle(), slices.Concat(served.Certificate, company.Certificate), 0o644),
		os.WriteFile(dir.HubKey(), served.Key, 0o600),
		// Last, because Complete looks for it.
		served.Write(dir.PKI(HubServer)))
}
