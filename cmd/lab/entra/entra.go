// Package entra is the lab's simulated Entra ID: one tenant with one application, in the shape
// of Microsoft's endpoints, tokens and errors, and beside it Microsoft Graph, which believes
// nothing but this provider's tokens. Reading requests and authenticating clients is done by
// zitadel's OpenID provider library; what it serves is ours, for a library's claims, paths and
// errors are not Entra's. No account of it opens anything but the lab.
package entra

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/entra/graph"
)

// Faults that the provider looks for at each request, beside those of the directory. The
// table of the lab's faults describes them.
const (
	FaultSecretWrong = "entra-secret-wrong"
	FaultClockAhead  = "entra-clock-ahead"
	FaultIssuerOther = "entra-issuer-other"
	// FaultKeysRotated signs each token with a new key: a client that asks for keys once only
	// does not know it, and nothing may fail for it.
	FaultKeysRotated = "entra-keys-rotated"
)

// clockAhead is how wrong the provider's clock is under FaultClockAhead.
const clockAhead = 10 * time.Minute

// Settings are what the provider needs.
type Settings struct {
	// LoginURL and GraphURL are how clients reach the two names, without a slash at the end.
	LoginURL, GraphURL string
	// Credential is the application's client secret.
	Credential directory.Credential
	// Active says whether the named fault is planted now.
	Active func(fault string) bool
	Log    *slog.Logger
}

// provider answers for the tenant.
type provider struct {
	Settings
	keys *keyring

	mu    sync.Mutex
	flows map[string]*flow // sign-ins in progress, by the ID in the sign-in page or by code
}

// New returns Entra ID and Graph as one handler, told apart by the name that is asked for; by
// the path where it is asked for by another, such as an address.
func New(s Settings) (http.Handler, error) {
	p := &provider{Settings: s, flows: map[string]*flow{}}
	var err error
	if p.keys, err = newKeyring(func() bool { return s.Active(FaultKeysRotated) }); err != nil {
		return nil, err
	}
	login := p.tenants()
	api := graph.New(graph.Settings{
		URL: s.GraphURL, Tenant: p.tenant, Verify: p.verifyForGraph, Active: s.Active,
	})
	loginHost, graphHost := hostOf(s.LoginURL), hostOf(s.GraphURL)
	return logged(s.Log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch host, _, _ := strings.Cut(r.Host, ":"); {
		case loginHost != graphHost && host == graphHost, host != loginHost && isGraph(r), loginHost == graphHost && isGraph(r):
			api.ServeHTTP(w, r)
		default:
			login.ServeHTTP(w, r)
		}
	})), nil
}

func isGraph(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, graph.Version+"/") }

func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, ":")
	return host
}

// tenant is the directory as it is now.
func (p *provider) tenant() directory.Directory {
	return directory.Lab(p.Credential, p.Active, time.Now())
}

// now is the provider's clock.
func (p *provider) now() time.Time {
	if p.Active(FaultClockAhead) {
		return time.Now().Add(clockAhead)
	}
	return time.Now()
}

// issuer is who makes the tokens.
func (p *provider) issuer() string { return p.LoginURL + "/" + directory.TenantID + "/v2.0" }

// announcedIssuer is who the discovery document says that it is.
func (p *provider) announcedIssuer() string {
	if p.Active(FaultIssuerOther) {
		return p.LoginURL + "/" + otherTenantID + "/v2.0"
	}
	return p.issuer()
}

// otherTenantID is a tenant that does not exist.
const otherTenantID = "0d9c7b5e-1a3f-4e62-8d40-b6f2a8e1c973"
