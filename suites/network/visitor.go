package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"aiv.internal/conformance/framework/outbound"
	"aiv.internal/conformance/framework/probe"
)

const (
	// visitTime bounds one short request, from the connection to the end of its answer.
	visitTime = 15 * time.Second
	// visitPause is the time between two attempts.
	visitPause = 500 * time.Millisecond
	// textLimit is how much of a stranger's answer is shown, in bytes, and echoLimit how much of
	// our own backend's is read.
	textLimit, echoLimit = 200, 64 << 10
)

// visitor asks a load balancer for one host, as a browser does whose DNS leads there.
type visitor struct {
	// address of the load balancer, host:port.
	address string
	// host in the TLS handshake and in requests.
	host string
	// agent is what requests call themselves.
	agent string
	// doubt is why a host may be unserved through no fault of the cluster; nil where nothing is known.
	doubt *doubt
	// fronted tells that a load balancer in front ends TLS.
	fronted bool
}

// url returns an address on the host.
func (v visitor) url(path string) string { return "https://" + v.host + path }

// client returns an HTTP client all of whose connections go to the load balancer, each request
// on one of its own: the next backend in its row may answer otherwise. Certificates are not
// verified: what is shown is looked at here, and section 3 judges it; no secret is sent.
func (v visitor) client(http2 bool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				// Not even keep-alives, which would keep an idle connection from being idle.
				return (&net.Dialer{Timeout: outbound.ConnectLimit, KeepAlive: -1}).DialContext(ctx, network, v.address)
			},
			TLSClientConfig:     &tls.Config{ServerName: v.host, InsecureSkipVerify: true},
			TLSHandshakeTimeout: outbound.ConnectLimit,
			ForceAttemptHTTP2:   http2,
			DisableKeepAlives:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// visit is what came of one request.
type visit struct {
	// err is why there is no answer; the rest is empty then.
	err      error
	status   int
	protocol string
	// server is what the one who answered calls itself, and location where it redirects to.
	server, location string
	// text is the beginning of a stranger's answer.
	text string
	// echo is our own backend's answer; without a token where another answered.
	echo  probe.Echo
	chain []*x509.Certificate
}

// visit asks for a path once.
func (v visitor) visit(ctx context.Context, path string) visit {
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	answer, err := v.send(ctx, v.client(true), http.MethodGet, path, nil)
	if err != nil {
		return visit{err: err}
	}
	defer answer.Body.Close()
	seen := visit{status: answer.StatusCode, protocol: answer.Proto, server: answer.Header.Get("Server"),
		location: answer.Header.Get("Location"), chain: answer.TLS.PeerCertificates}
	text, err := io.ReadAll(io.LimitReader(answer.Body, echoLimit))
	if err != nil {
		return visit{err: err}
	}
	if answer.StatusCode != http.StatusOK || json.Unmarshal(text, &seen.echo) != nil || seen.echo.Token == "" {
		seen.echo, seen.text = probe.Echo{}, beginning(string(text))
	}
	return seen
}

// send makes one request and returns its answer, whose body the caller closes.
func (v visitor) send(ctx context.Context, client *http.Client, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, v.url(path), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", v.agent)
	answer, err := client.Do(request)
	if err == nil && answer.TLS == nil {
		answer.Body.Close()
		return nil, errors.New("answered without TLS")
	}
	return answer, err
}

// beginning is the first words of a text, on one line.
func beginning(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > textLimit {
		text = strings.ToValidUTF8(text[:textLimit], "") + "..."
	}
	return text
}

// inARow is how many answers must come from our backend one after the other: one may be luck
// where a load balancer has several ingress controllers behind it.
const inARow = 3

// patience is how long to wait for an ingress controller.
type patience struct {
	// served is for how long it may not know the host yet.
	served time.Duration
	// reached is for how long no connection may come about at all.
	reached time.Duration
}

// reach asks until the backend with the token has answered three times in a row, and returns
// the last visit. If that does not come true, the finding says what came instead.
func (v visitor) reach(ctx context.Context, token string, p patience) (visit, error) {
	began, lastAnswer := time.Now(), time.Now()
	var tries tally
	for row := 0; ; {
		last := v.visit(ctx, "/")
		switch {
		case last.echo.Token == token:
			row++
			tries.ours++
		default:
			row = 0
			if tries.ours > 0 {
				tries.others++
			}
		}
		if row == inARow {
			return last, nil
		}
		if last.err == nil {
			lastAnswer = time.Now()
		}
		if ctx.Err() != nil || time.Since(began) > p.served || time.Since(lastAnswer) > p.reached {
			return last, unserved(v, last, tries)
		}
		if row > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(visitPause):
		}
	}
}

// tally counts the answers of our backend, and those of others after its first.
type tally struct{ ours, others int }
