package registry

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

// greeting judges the answer to GET /v2/ without credentials (OCI Distribution Specification
// 1.1, end-1): a registry asks for credentials in a way that clients and nodes can follow, or
// is open because it is meant to be. It returns nil for such an answer.
func greeting(response *http.Response, public bool) error {
	challenge := response.Header.Get("WWW-Authenticate")
	expected := "401 with a challenge from https://" + response.Request.URL.Host + "/v2/"
	if public {
		expected = "200, or " + expected
	}
	failed := func(found, why, do string) error { return finding.Failed(expected, found, why, do) }
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized && challenge == "":
		return failed("401 without a WWW-Authenticate header", "a proxy before the registry strips it, or it is none",
			"let the header through: without it neither nodes nor clients know how to log in")
	case code == http.StatusUnauthorized && !followable(response.Header.Values("WWW-Authenticate")):
		return failed("a challenge of another kind: "+challenge, "the registry, or a proxy before it, wants a login that container runtimes do not know",
			"have it offer Basic or Bearer")
	case code == http.StatusUnauthorized:
		return nil
	case code == http.StatusOK && isPage(response):
		return failed("a web page", "this is the address of a user interface or of a proxy", "correct registry.url: the registry's own host and port")
	case code == http.StatusOK && !public:
		return failed("200: the registry asks nobody for credentials", "anonymous access is switched on",
			"switch it off, or say registry.public: true if it is meant to be")
	case code == http.StatusOK:
		return nil
	case code >= 300 && code < 400:
		return failed(fmt.Sprintf("%s to %s", response.Status, response.Header.Get("Location")), "a login page or another host answers at this address",
			"correct registry.url: the registry's own host and port")
	}
	return explain(transport.CheckError(response, http.StatusOK), expected)
}

// followable says that container runtimes know a way to answer one of the challenges.
func followable(challenges []string) bool {
	for _, challenge := range challenges {
		scheme, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(challenge)), " ")
		if scheme == "basic" || scheme == "bearer" {
			return true
		}
	}
	return false
}

func isPage(response *http.Response) bool {
	return strings.HasPrefix(response.Header.Get("Content-Type"), "text/html")
}

// recordCertificate notes what the registry identified itself with, and warns of an end in
// fewer days than that.
func recordCertificate(response *http.Response, days int) {
	if response.TLS == nil || len(response.TLS.PeerCertificates) == 0 {
		return
	}
	certificate := response.TLS.PeerCertificates[0]
	check.Evidence("certificate issuer", certificate.Issuer.String())
	check.Evidence("certificate valid until", certificate.NotAfter.UTC().Format(time.RFC3339))
	if left := time.Until(certificate.NotAfter); left < time.Duration(days)*24*time.Hour {
		check.Warn(fmt.Sprintf("the registry's certificate ends on %s, in %.0f days", certificate.NotAfter.UTC().Format(time.DateOnly), left.Hours()/24),
			"", "have it renewed before then: no node can pull afterwards")
	}
}
