package faults

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/answers"
	"aiv.internal/conformance/cmd/lab/pki"
)

// newHub is a lab with certificates and answers that does not run.
func newHub(t *testing.T) *Lab {
	t.Helper()
	lab := newLab(t)
	if err := errors.Join(pki.Create(lab.Dir), answers.Write(lab.Dir)); err != nil {
		t.Fatal(err)
	}
	return lab
}

// files are what faults of certificates change.
func files(t *testing.T, lab *Lab) string {
	t.Helper()
	hub, err := pki.ReadHub(lab.Dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(hub)
	if err != nil {
		t.Fatal(err)
	}
	answered, err := os.ReadFile(lab.Dir.Answers())
	if err != nil {
		t.Fatal(err)
	}
	return string(all) + string(answered)
}

// Faults of what is handed over need no running lab, and leave what is served alone.
func TestHandedOverFilesAreRestored(t *testing.T) {
	for _, name := range []string{
		"certificate-root-missing", "certificate-signed-with-sha", "certificate-key-weak", "certificate-not-rolled-out",
		"certificate-key-of-another", "certificate-format-other", "certificate-password-wrong", "certificate-issuer-other", "certificate-authority-is-none",
	} {
		t.Run(name, func(t *testing.T) {
			lab := newHub(t)
			fault, err := Find(name)
			if err != nil {
				t.Fatal(err)
			}
			before := files(t, lab)
			for range 2 {
				if err := Break(t.Context(), lab, fault); err != nil {
					t.Fatal(err)
				}
			}
			if files(t, lab) == before {
				t.Error("nothing was changed")
			}
			for range 2 {
				if err := Mend(t.Context(), lab, fault); err != nil {
					t.Fatal(err)
				}
			}
			if files(t, lab) != before {
				t.Error("after mending the files are others")
			}
		})
	}
}

func TestReissuedPairsFit(t *testing.T) {
	lab := newHub(t)
	hub, err := reissue(lab, func(request *pki.Request) error {
		request.NotBefore, request.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(hub.Served.Certificate, hub.Served.Key)
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.Certificate) != 2 || pair.Leaf.NotAfter.After(time.Now()) || time.Since(pair.Leaf.NotBefore) < 47*time.Hour {
		t.Errorf("%d certificates, valid from %s to %s", len(pair.Certificate), pair.Leaf.NotBefore, pair.Leaf.NotAfter)
	}
	if got := strings.Count(string(inOrder(hub.Bundle, 2, 0)), "BEGIN CERTIFICATE"); got != 2 {
		t.Errorf("%d certificates are left", got)
	}
}
