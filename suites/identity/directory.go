package identity

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// Addresses of the public cloud.
const (
	publicLogin = "https://login.microsoftonline.com"
	publicGraph = "https://graph.microsoft.com"
)

// The answers that addresses come from.
const (
	loginKey = "entra.loginUrl"
	graphKey = "entra.graphUrl"
)

const (
	// requestLimit bounds one request, its waits included.
	requestLimit = 45 * time.Second
	// waitLimit bounds the waits that a service asks for, within one request.
	waitLimit = 30 * time.Second
	// mostOfBody is how much of an answer is read.
	mostOfBody = 4 << 20
)

// directory is one tenant and the application in it, as the runner reaches them. What is
// asked for once is kept for the items that follow. It is for one goroutine.
type directory struct {
	login, graph     *url.URL
	tenant, clientID string
	// secret returns the client secret; it is nil where none is answered.
	secret func(context.Context) (string, error)
	// client follows no redirections: none of these services has any for programs.
	client *http.Client
	now    func() time.Time

	discovered once[*discovery]
	// simulated is how the directory owns up to not being Entra ID.
	simulated   string
	signingKeys []publicKey
	own         once[*token]
	forGraph    once[*token]
	known       once[string]
	registered  once[*application]
	principal   once[*servicePrincipal]
	assigned    once[[]appRoleAssignment]
	granted     once[consents]
	groups      map[string]*once[*group]
}

// newDirectory returns the way to the answered tenant. caFile signs the certificates of its
// services beside the CAs of the system; it may be empty. It connects to nothing.
func newDirectory(a answers.Entra, caFile string, proxies answers.Proxies, userAgent func() string) (*directory, error) {
	login, err := service(a.LoginURL, publicLogin, loginKey)
	if err != nil {
		return nil, err
	}
	graph, err := service(a.GraphURL, publicGraph, graphKey)
	if err != nil {
		return nil, err
	}
	roots, err := outbound.Trust(caFile, "entra.caFile or certificates.caFile")
	if err != nil {
		return nil, err
	}
	return &directory{
		login: login, graph: graph, tenant: strings.ToLower(a.TenantID), clientID: strings.ToLower(a.ClientID),
		client: &http.Client{
			Transport:     patience{outbound.Transport(roots, proxies), userAgent, waitLimit},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       requestLimit,
		},
		now:    time.Now,
		groups: map[string]*once[*group]{},
	}, nil
}

// service reads the address of a service.
func service(answered, usual, key string) (*url.URL, error) {
	if answered == "" {
		answered = usual
	}
	address, err := url.Parse(strings.TrimRight(answered, "/"))
	if err == nil && (address.Scheme != "https" || address.Host == "") {
		err = errors.New(answered + " is no https address")
	}
	if err != nil {
		return nil, finding.Failed("an https address at "+key, err.Error(), "a slip of the pen; credentials are never sent in the clear", "correct "+key)
	}
	return address, nil
}

// of returns an address of the tenant at the login endpoint.
func (d *directory) of(path string) string { return d.login.String() + "/" + d.tenant + "/" + path }

// get asks for an address without credentials and returns the answer with its body.
func (d *directory) get(ctx context.Context, address string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Cache-Control", "no-cache") // a proxy may hold keys that were replaced
	return d.send(request)
}

func (d *directory) send(request *http.Request) (*http.Response, []byte, error) {
	return d.sendAs(d.client, request)
}

func (d *directory) sendAs(client *http.Client, request *http.Request) (*http.Response, []byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostOfBody))
	return response, body, err
}

// once keeps what its first use came to, an error too, but none that came when the time of
// one item was up: the next has its own.
type once[T any] struct {
	done  bool
	value T
	err   error
}

func (o *once[T]) get(ctx context.Context, make func() (T, error)) (T, error) {
	if !o.done {
		o.value, o.err = make()
		o.done = o.err == nil || ctx.Err() == nil
	}
	return o.value, o.err
}
