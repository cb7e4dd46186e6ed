// Package outbound is how the runner itself speaks to the company's services: verified TLS,
// through the answered proxy, and nothing in the clear. It says what kind of trouble kept a
// connection from working; what to do about it is each suite's to say.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

const (
	// ConnectLimit bounds the connection and the TLS handshake, each.
	ConnectLimit = 10 * time.Second
	// AnswerLimit bounds the time until a request's answer begins.
	AnswerLimit = 30 * time.Second
)

// Trust returns the CAs of the system and those of the file, which may be "". keys names
// the answers that the file comes from, for the finding where it is of no use.
func Trust(caFile, keys string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if caFile == "" {
		return roots, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, finding.NotDecided("a CA file", err.Error(), "the answers file names a CA file that is not there for the runner",
			"set "+keys+" to a PEM file").Because(err)
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, finding.NotDecided("a CA file with certificates in PEM", caFile+" has none", "it is of another format, or empty",
			"set "+keys+" to a PEM file")
	}
	return roots, nil
}

// Transport returns what carries requests over TLS that these CAs verify, through the
// proxies. It refuses requests that are not encrypted with ErrInTheClear.
func Transport(roots *x509.CertPool, proxies answers.Proxies) http.RoundTripper {
	return encrypted{&http.Transport{
		Proxy:                 proxies.ForRequest,
		DialContext:           (&net.Dialer{Timeout: ConnectLimit}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots},
		TLSHandshakeTimeout:   ConnectLimit,
		ResponseHeaderTimeout: AnswerLimit,
		IdleConnTimeout:       AnswerLimit,
		ForceAttemptHTTP2:     true,
	}}
}

// ErrInTheClear keeps credentials off unencrypted connections.
var ErrInTheClear = errors.New("refused to speak plain HTTP")

// encrypted lets only HTTPS through.
type encrypted struct{ http.RoundTripper }

func (e encrypted) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "https" {
		return nil, ErrInTheClear
	}
	return e.RoundTripper.RoundTrip(request)
}
