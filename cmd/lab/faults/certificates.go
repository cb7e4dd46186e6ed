package faults

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/topology"
)

var (
	// bundleItems read the file with JupyterHub's certificate and chain.
	bundleItems = []string{"3.1.2", "3.1.3.1", "3.1.3.2", "3.1.3.3", "3.1.4", "3.1.5"}
	// afterFormat are those that cannot read it when 3.1.2 cannot.
	afterFormat = without(bundleItems, "3.1.2")
)

// certificateFaults are the defects of the server certificate and its files.
func certificateFaults() []Fault {
	return slices.Concat(chainFaults(), leafFaults(), fileFaults(), certificateAnswers())
}

// chainFaults are about what is around the server's certificate.
func chainFaults() []Fault {
	return []Fault{
		hubFault(Fault{
			Name:        "certificate-chain-incomplete",
			Description: "the load balancer sends JupyterHub's certificate without the intermediate one",
			Failed:      []string{"3.1.3.2"},
			Undecided:   []string{"3.1.1"},
			Words:       []string{"intermediate"},
		}, func(_ *Lab, hub *pki.Hub) error {
			hub.Served.Certificate = inOrder(hub.Bundle, 0)
			return nil
		}),
		hubFault(Fault{
			Name:        "certificate-chain-disordered",
			Description: "the load balancer sends JupyterHub's chain in another order",
			Failed:      []string{"3.1.3.2"},
			Words:       []string{"the order is wrong"},
		}, func(_ *Lab, hub *pki.Hub) error {
			hub.Served.Certificate = inOrder(hub.Bundle, 0, 2, 1)
			return nil
		}),
		hubFault(Fault{
			Name:        "certificate-root-missing",
			Description: "the root's certificate was not handed over with JupyterHub's",
			Failed:      []string{"3.1.3.3"},
			Words:       []string{"root"},
		}, func(_ *Lab, hub *pki.Hub) error {
			hub.Bundle = inOrder(hub.Bundle, 0, 1)
			return nil
		}),
		hubFault(Fault{
			Name:        "certificate-of-another-authority",
			Description: "JupyterHub's certificate was issued by another CA than the one that was handed over",
			Failed:      []string{"3.1.1", "3.1.3.3"},
			Words:       []string{"certificates.caFile", "another CA"},
		}, func(_ *Lab, hub *pki.Hub) error {
			company, err := pki.NewAuthority("AIV Lab CA (simulated)")
			if err != nil {
				return err
			}
			issuing, err := company.NewIntermediate(pki.IssuingName)
			if err != nil {
				return err
			}
			*hub, err = pki.IssueHub(company, issuing, pki.HubRequest())
			return err
		}),
	}
}

// leafFaults are defects of the server's certificate itself.
func leafFaults() []Fault {
	const day = 24 * time.Hour
	return []Fault{
		reissued(Fault{
			Name:        "certificate-expired",
			Description: "JupyterHub's certificate expired yesterday",
			Failed:      []string{"3.1.5"},
			Undecided:   []string{"3.1.1"},
			Words:       []string{"expired"},
		}, func(request *pki.Request) error {
			request.NotBefore, request.NotAfter = time.Now().Add(-100*day), time.Now().Add(-day)
			return nil
		}),
		reissued(Fault{
			Name:        "certificate-not-yet-valid",
			Description: "JupyterHub's certificate is valid from tomorrow on",
			Failed:      []string{"3.1.5"},
			Undecided:   []string{"3.1.1"},
			Words:       []string{"not valid"},
		}, func(request *pki.Request) error {
			request.NotBefore = time.Now().Add(day)
			return nil
		}),
		reissued(Fault{
			Name:        "certificate-expiring",
			Description: "JupyterHub's certificate ends in ten days",
			Failed:      []string{"3.1.5"},
			Words:       []string{"in 10 days"},
		}, func(request *pki.Request) error {
			request.NotBefore, request.NotAfter = time.Now().Add(-100*day), time.Now().Add(10*day)
			return nil
		}),
		reissued(Fault{
			Name:        "certificate-for-another-name",
			Description: "JupyterHub's certificate does not have its name among the subject alternative names",
			Failed:      []string{"3.1.3.1"},
			Undecided:   []string{"3.1.1"},
			Words:       []string{"portal." + topology.Domain, topology.HubHost},
		}, func(request *pki.Request) error {
			request.Hosts = []string{"portal." + topology.Domain}
			return nil
		}),
		// The two below are of files only: the lab's own servers refuse to serve such certificates.
		handed(Fault{
			Name:        "certificate-signed-with-sha",
			Description: "the file holds a certificate that is signed with SHA-1",
			Failed:      []string{"3.1.3.1"},
			MayFail:     []string{"3.1.5"},
			Words:       []string{"SHA1"},
		}, func(request *pki.Request) error {
			request.Signature = x509.ECDSAWithSHA1
			return nil
		}),
		handed(Fault{
			Name:        "certificate-key-weak",
			Description: "the file holds a certificate for an RSA key of 1024 bits",
			Failed:      []string{"3.1.3.1"},
			MayFail:     []string{"3.1.5"},
			Words:       []string{"1024 bits"},
		}, func(request *pki.Request) (err error) {
			request.Key, err = rsa.GenerateKey(rand.Reader, 1024)
			return err
		}),
		handed(Fault{
			Name:        "certificate-not-rolled-out",
			Description: "JupyterHub's certificate was renewed, and the load balancer serves the old one",
			Failed:      []string{"3.1.5"},
			Words:       []string{"not in use yet"},
		}, func(request *pki.Request) error {
			request.NotBefore = time.Now()
			return nil
		}),
	}
}

// fileFaults are about the files that were handed over.
func fileFaults() []Fault {
	return []Fault{
		hubFault(Fault{
			Name:        "certificate-key-of-another",
			Description: "the private key that was handed over is another certificate's",
			Failed:      []string{"3.1.4"},
			Words:       []string{"public key is"},
		}, func(_ *Lab, hub *pki.Hub) error {
			other, err := pki.SigningKey()
			hub.Key = other.Key
			return err
		}),
		hubFault(Fault{
			Name:        "certificate-format-other",
			Description: "the file that is answered as PEM is a PFX file",
			Failed:      []string{"3.1.2"},
			Undecided:   afterFormat,
			Words:       []string{"PFX"},
		}, func(_ *Lab, hub *pki.Hub) (err error) {
			hub.Bundle, err = asPFX(*hub, rand.Text())
			return err
		}),
		{
			Name:        "certificate-password-wrong",
			Description: "the answered password does not open the PFX file",
			Failed:      []string{"3.1.2"},
			Undecided:   afterFormat,
			Words:       []string{"password"},
			Answers:     true,
			Break:       answerPFX,
			Mend:        answerPEM,
		},
	}
}

// certificateAnswers are about what the answers say of the certificates.
func certificateAnswers() []Fault {
	return []Fault{
		answerFault(Fault{
			Name:        "certificate-issuer-other",
			Description: "the answers name another issuer than the certificate",
			Failed:      []string{"3.1.3.1"},
			Words:       []string{"certificates.issuer", pki.IssuingName},
		}, "  issuer: "+pki.IssuingName, "  issuer: AIV Issuing CA 2"),
		{
			Name:        "certificate-authority-is-none",
			Description: "the CA file holds a server's certificate beside the CA's",
			Failed:      []string{"3.1.1"},
			Words:       []string{"CA:TRUE"},
			Answers:     true,
			Break: func(_ context.Context, lab *Lab, _ func([]byte) error) error {
				hub, err := pki.ReadHub(lab.Dir)
				if err != nil {
					return err
				}
				if err := os.WriteFile(mixedAuthorities(lab), inOrder(hub.Bundle, 2, 0), 0o644); err != nil {
					return err
				}
				return answerAuthorities(lab).do(lab)
			},
			Mend: func(_ context.Context, lab *Lab, _ []byte) error {
				return answerAuthorities(lab).back().do(lab)
			},
		},
	}
}

func mixedAuthorities(lab *Lab) string { return lab.Dir.PKI("ca-and-server.pem") }

// answerAuthorities answers section 3.1 with the mixed file, and leaves other sections alone.
func answerAuthorities(lab *Lab) replacement {
	return replacement{"certificates:\n  caFile: " + lab.Dir.CA(), "certificates:\n  caFile: " + mixedAuthorities(lab)}
}

// hubFault completes a fault that changes JupyterHub's certificate or its files.
func hubFault(fault Fault, change func(lab *Lab, hub *pki.Hub) error) Fault {
	fault.Break = func(ctx context.Context, lab *Lab, keep func([]byte) error) error {
		before, err := pki.ReadHub(lab.Dir)
		if err != nil {
			return err
		}
		kept, err := json.Marshal(before)
		if err != nil {
			return err
		}
		after := before
		if err := errors.Join(keep(kept), change(lab, &after)); err != nil {
			return err
		}
		return putHub(ctx, lab, after)
	}
	fault.Mend = func(ctx context.Context, lab *Lab, kept []byte) error {
		if len(kept) == 0 {
			return nil // nothing was changed yet
		}
		var before pki.Hub
		if err := json.Unmarshal(kept, &before); err != nil {
			return fmt.Errorf("what was kept of JupyterHub's certificate: %w", err)
		}
		if !network.Present() { // the lab is down: nobody serves it
			return before.Write(lab.Dir)
		}
		return putHub(ctx, lab, before)
	}
	return fault
}

// putHub writes JupyterHub's certificate and has it served, where that is another one than now.
func putHub(ctx context.Context, lab *Lab, hub pki.Hub) error {
	now, err := pki.ReadHub(lab.Dir)
	if err != nil {
		return err
	}
	if err := hub.Write(lab.Dir); err != nil {
		return err
	}
	if bytes.Equal(now.Served.Certificate, hub.Served.Certificate) {
		return nil
	}
	return hubserver.Reload(ctx, lab.Supervisor)
}

// reissued completes a fault of a certificate that the lab's issuing authority made otherwise.
func reissued(fault Fault, change func(*pki.Request) error) Fault {
	return hubFault(fault, func(lab *Lab, hub *pki.Hub) (err error) {
		*hub, err = reissue(lab, change)
		return err
	})
}

// handed completes a fault of such a certificate that was handed over and is not served.
func handed(fault Fault, change func(*pki.Request) error) Fault {
	return hubFault(fault, func(lab *Lab, hub *pki.Hub) error {
		other, err := reissue(lab, change)
		hub.Bundle, hub.Key = other.Bundle, other.Key
		return err
	})
}

func reissue(lab *Lab, change func(*pki.Request) error) (pki.Hub, error) {
	company, err := pki.Read(lab.Dir.PKI(pki.CompanyCA))
	if err != nil {
		return pki.Hub{}, err
	}
	issuing, err := pki.Read(lab.Dir.PKI(pki.IssuingCA))
	if err != nil {
		return pki.Hub{}, err
	}
	request := pki.HubRequest()
	if err := change(&request); err != nil {
		return pki.Hub{}, err
	}
	return pki.IssueHub(company, issuing, request)
}

// inOrder returns some of the certificates of a PEM text.
func inOrder(text []byte, places ...int) []byte {
	var all, chosen [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, pem.EncodeToMemory(block))
	}
	for _, place := range places {
		chosen = append(chosen, all[place])
	}
	return bytes.Join(chosen, nil)
}

// asPFX packs the files that were handed over into one.
func asPFX(hub pki.Hub, password string) ([]byte, error) {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(hub.Bundle); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
	}
	block, _ := pem.Decode(hub.Key)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return pkcs12.Modern.Encode(key, certificates[0], certificates[1:], password)
}

// pfxAnswered answers the files of that name as PFX instead of as PEM.
func pfxAnswered(lab *Lab) (answered replacement, name string) {
	name = strings.TrimSuffix(lab.Dir.HubBundle(), ".pem")
	return replacement{"  format: pem\n  bundle: " + lab.Dir.HubBundle(),
		"  format: pfx\n  bundle: " + name + ".pfx\n  pfxPassword: {file: " + name + ".password}"}, name
}

// answerPFX hands the certificate over as PFX, and a password that is not its.
func answerPFX(_ context.Context, lab *Lab, _ func([]byte) error) error {
	hub, err := pki.ReadHub(lab.Dir)
	if err != nil {
		return err
	}
	pfx, err := asPFX(hub, rand.Text())
	if err != nil {
		return err
	}
	answered, name := pfxAnswered(lab)
	return errors.Join(
		os.WriteFile(name+".pfx", pfx, 0o600),
		os.WriteFile(name+".password", []byte(rand.Text()+"\n"), 0o600),
		answered.do(lab))
}

func answerPEM(_ context.Context, lab *Lab, _ []byte) error {
	answered, _ := pfxAnswered(lab)
	return answered.back().do(lab)
}
