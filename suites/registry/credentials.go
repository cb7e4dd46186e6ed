package registry

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"aiv.internal/conformance/framework/finding"
)

// accepts returns nil if the registry lets the user in. Whatever else is in the way is no
// fault of the credentials.
func (d *door) accepts(ctx context.Context, username, password string) error {
	expected := "registry " + d.host() + " accepts the credentials of " + username
	_, err := d.login(ctx, authn.FromConfig(authn.AuthConfig{Username: username, Password: password}))
	switch kind := troubleOf(err); {
	case err == nil:
		return nil
	case isRefusal(kind):
		return explain(err, expected)
	}
	return notLetIn(err, expected)
}

// refusesStrangers returns nil if made-up credentials are refused. The user is made up too:
// wrong passwords for the real one could lock the account.
func (d *door) refusesStrangers(ctx context.Context, public bool) error {
	expected := "registry " + d.host() + " refuses made-up credentials"
	stranger := authn.FromConfig(authn.AuthConfig{Username: "conformance-" + strings.ToLower(rand.Text()), Password: rand.Text()})
	_, err := d.login(ctx, stranger)
	switch {
	case err == nil && public:
		return nil
	case err == nil:
		return finding.Failed(expected, "it let a made-up user in", "credentials are not looked at: authentication is switched off, or a proxy before the registry adds its own",
			"switch authentication on, or say registry.public: true if everybody may read")
	case isRefusal(troubleOf(err)):
		return nil
	}
	return notLetIn(err, expected)
}

// opensToAnybody tries to read below the repository without credentials.
func (d *door) opensToAnybody(ctx context.Context) (bool, error) {
	expected := "registry " + d.host() + " answers those without credentials"
	challenge, err := transport.Ping(ctx, d.repository.Registry, d.transport)
	if err != nil {
		return false, notLetIn(err, expected)
	}
	v, err := d.enter(ctx, authn.Anonymous)
	if err == nil {
		err = v.ask(ctx, http.MethodGet, d.repository.RepositoryStr()+"/tags/list", http.StatusOK)
	}
	switch kind := troubleOf(err); {
	case err == nil:
		return true, nil
	case isRefusal(kind):
		return false, nil
	case kind == nameUnknown || kind == notFound:
		// Registries with tokens hide what a token does not allow behind a 404; item 5.1.6
		// tries with an image that is there. Others answer 404 only to those let in.
		return !strings.EqualFold(challenge.Scheme, "bearer"), nil
	}
	return false, notLetIn(err, expected)
}
