package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// plainAnswer is how port 80 answers.
type plainAnswer struct {
	status   int
	location string
	err      error
}

// judgeRedirect asks port 80 for JupyterHub's page and holds the answer against what is said of
// it. Where nothing is said, a page in the clear is a warning.
func judgeRedirect(ctx context.Context, a answers.Ingress) {
	host := check.Answers().DNS.Domain
	if host == "" {
		host = a.VIP
	}
	check.Step("ask port 80 of %s", a.VIP)
	answer := askPlain(ctx, a.VIP, "80", host)
	check.Evidence("port 80", answer.words())
	if a.RedirectHTTP != nil && *a.RedirectHTTP {
		check.NoError(redirects(answer, host), "ask port 80")
		return
	}
	if answer.err == nil && redirects(answer, host) != nil {
		check.Warn("port 80 answers "+answer.words(), "users who type the name without https get, and send, what everybody on the way can read",
			"have port 80 redirect to https, or close it")
	}
}

// askPlain asks one port of the load balancer, under the host's name, for "/".
func askPlain(ctx context.Context, vip, port, host string) plainAnswer {
	ctx, cancel := context.WithTimeout(ctx, doorLimit)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(vip, port))
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+bracketed(host)+"/", nil)
	if err != nil {
		return plainAnswer{err: err}
	}
	request.Header.Set("User-Agent", check.UserAgent())
	response, err := transport.RoundTrip(request)
	if err != nil {
		return plainAnswer{err: err}
	}
	defer response.Body.Close()
	return plainAnswer{status: response.StatusCode, location: response.Header.Get("Location")}
}

// bracketed renders a host for a URL: an IPv6 address needs brackets.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func (p plainAnswer) words() string {
	switch {
	case p.err != nil:
		return string(outbound.TroubleOf(p.err))
	case p.location != "":
		return fmt.Sprintf("%d to %s", p.status, p.location)
	}
	return fmt.Sprintf("%d without a redirection", p.status)
}

// redirects returns nil where the answer leads to https under the same name, on the port that
// browsers take.
func redirects(answer plainAnswer, host string) error {
	expected := fmt.Sprintf("http://%s/ is redirected to https://%s/ (ingress.redirectHttp)", host, host)
	if answer.err != nil {
		why, do := "nothing serves port 80: users who type the name without https get no page", "open port 80 and have it redirect, or set ingress.redirectHttp: false"
		switch trouble := outbound.TroubleOf(answer.err); {
		case trouble == outbound.Silent || trouble == outbound.NoRoute:
			return finding.NotDecided(expected, "port 80: "+answer.words(), "a firewall drops what the runner sends to port 80, or nothing serves it: the runner cannot tell which",
				"run it again from where users are, or set ingress.redirectHttp: false if port 80 is meant to be closed").Because(answer.err)
		case trouble == outbound.Interrupted:
			return finding.NotDecided(expected, answer.words(), "the run was stopped", "run it again").Because(answer.err)
		}
		return finding.Failed(expected, "port 80: "+answer.words(), why, do).Because(answer.err)
	}
	const do = "switch the redirection to https on, in the load balancer or the ingress controller"
	if answer.status < 300 || answer.status > 399 || answer.location == "" {
		return finding.Failed(expected, "port 80 answers "+answer.words(), "the redirection is not switched on: logins and cookies would cross the network in the clear", do)
	}
	to, err := (&url.URL{Scheme: "http", Host: bracketed(host), Path: "/"}).Parse(answer.location)
	switch {
	case err != nil:
		return finding.Failed(expected, "port 80 answers "+answer.words(), "the redirection leads to no address", do).Because(err)
	case to.Scheme != "https":
		return finding.Failed(expected, "port 80 answers "+answer.words(), "the redirection stays in the clear", do)
	case !strings.EqualFold(to.Hostname(), host):
		return finding.Failed(expected, "port 80 answers "+answer.words(), "the redirection leads to another name", "correct the redirection")
	case to.Port() != "" && to.Port() != "443":
		return finding.Failed(expected, "port 80 answers "+answer.words(), "the redirection names the port at which the controller listens, not that of the load balancer",
			"have it redirect to port 443")
	}
	return nil
}

// certificateAt returns the certificate that a server shows for a name. It is looked at and not
// trusted: nothing is sent.
func certificateAt(ctx context.Context, address, name string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, doorLimit)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}
