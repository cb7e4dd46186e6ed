package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// throwawayRepository holds the runs' images, below the answered repository, so that the
// images of others are never touched.
const throwawayRepository = "conformance-throwaway"

// mostOfBody is how much of an answer is read where only its beginning matters.
const mostOfBody = 64 << 10

// door is the way to one registry: verified TLS, and nothing sent in the clear.
type door struct {
	repository name.Repository
	transport  http.RoundTripper
}

// newDoor returns the way to the answered registry. caFile signs its certificate beside the
// CAs of the system; it may be empty. It connects to nothing.
func newDoor(a answers.Registry, caFile string, proxies answers.Proxies, userAgent string) (*door, error) {
	repository, err := name.NewRepository(a.URL+"/"+a.Repository+"/"+throwawayRepository, name.StrictValidation)
	if err != nil {
		return nil, finding.NotDecided("a registry and a repository in it", err.Error(), "registry.url and registry.repository do not make the name of an image",
			"correct them in the answers file; capital letters are not allowed in repositories").Because(err)
	}
	roots, err := outbound.Trust(caFile, "registry.caFile or certificates.caFile")
	if err != nil {
		return nil, err
	}
	// The registry library would fall back to plain HTTP for names under .local and for
	// private addresses; this transport does not.
	return &door{repository: repository, transport: transport.NewUserAgent(outbound.Transport(roots, proxies), userAgent)}, nil
}

func (d *door) host() string { return d.repository.RegistryStr() }

// url returns an address below /v2/.
func (d *door) url(path string) string { return fmt.Sprintf("https://%s/v2/%s", d.host(), path) }

// knock asks for /v2/ without credentials and returns the bare answer, its body closed. A
// redirection is an answer too: registries have none there.
func (d *door) knock(ctx context.Context) (*http.Response, error) {
	client := http.Client{Transport: d.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return get(ctx, client, http.MethodGet, d.url(""))
}

// visitor is somebody who is let in, or nobody, at the door.
type visitor struct {
	*door
	client http.Client
}

// enter goes through the registry's way to authenticate: basic, or a token that is asked
// for. It fails where the token is refused; what is refused later only requests tell.
func (d *door) enter(ctx context.Context, who authn.Authenticator) (*visitor, error) {
	through, err := transport.NewWithContext(ctx, d.repository.Registry, who, d.transport, []string{d.repository.Scope(transport.PushScope)})
	if err != nil {
		return nil, err
	}
	return &visitor{door: d, client: http.Client{Transport: through}}, nil
}

// login enters and has the credentials looked at. Its error is the transport's own.
func (d *door) login(ctx context.Context, who authn.Authenticator) (*visitor, error) {
	v, err := d.enter(ctx, who)
	if err != nil {
		return nil, err
	}
	return v, v.ask(ctx, http.MethodGet, "", http.StatusOK)
}

// options for the registry library. Nothing is tried twice: an answer that is wrong once is
// a finding, and a registry that is down is known at once.
func (v *visitor) options(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(v.client.Transport),
		remote.WithRetryPredicate(func(error) bool { return false }), remote.WithRetryStatusCodes()}
}

// ask makes one request below /v2/ and expects one of the statuses.
func (v *visitor) ask(ctx context.Context, method, path string, statuses ...int) error {
	response, err := get(ctx, v.client, method, v.url(path))
	if err != nil {
		return err
	}
	return transport.CheckError(response, statuses...)
}

// get makes a request without a body and reads the beginning of its answer.
func get(ctx context.Context, client http.Client, method, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostOfBody))
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}
