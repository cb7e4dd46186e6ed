package identity

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aiv.internal/conformance/framework/finding"
)

// tokenTroubles are answers to a request for a token that say nothing about the secret.
var tokenTroubles = map[string]http.HandlerFunc{
	"proxy without a way": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	"proxy's page": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte("<html>blocked</html>"))
	},
	"page in place of a token": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>opaque-and-secret</html>")) },
	"Conditional Access":       refusal(400, "invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies."),
	"over budget":              refusal(400, "invalid_request", "AADSTS90024: RequestBudgetExceededError."),
	"loop":                     refusal(400, "invalid_request", "AADSTS50196: The server terminated an operation."),
	"retry":                    refusal(400, "invalid_request", "AADSTS90006: The service is temporarily unavailable."),
	"unavailable":              refusal(400, "temporarily_unavailable", "no code"),
	"unknown to this suite":    refusal(400, "invalid_request", "AADSTS9999999: Something else."),
	"connection cut":           func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
}

func refusal(status int, kind, description string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { refuseLogin(w, status, kind, description) }
}

// at answers requests for paths that end so.
func at(end string, respond http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, end) {
			return false
		}
		respond(w, r)
		return true
	}
}

// A request for a token that fails for anything else than the secret fails no item.
func TestTokenTroubles(t *testing.T) {
	for name, respond := range tokenTroubles {
		t.Run(name, func(t *testing.T) {
			c, d, a := newCloud(t)
			c.answer = at("/token", respond)
			expect(t, "4.1.4", proveSecret(t.Context(), d, a), outcome{undecided: []string{"4.1.4"}})
			for _, item := range items {
				if f := finding.As(item.prove(t.Context(), d, a)); f != nil && !f.Undecided {
					t.Errorf("%s failed\n%v", item.id, f)
				}
			}
			c, d, _ = newCloud(t)
			c.answer = at("/token", respond)
			_, err := d.logIn(t.Context(), redirectURI, testUser, testPassword)
			expect(t, "4.1.8", err, outcome{undecided: []string{"4.1.8"}})
		})
	}
}

// Keys that do not load say nothing about a token, and what answers in their place is not
// quoted.
func TestKeysDoNotLoad(t *testing.T) {
	for name, respond := range tokenTroubles {
		t.Run(name, func(t *testing.T) {
			c, d, a := newCloud(t)
			if err := proveTenant(t.Context(), d, a); err != nil {
				t.Fatal(err)
			}
			c.answer = at("/discovery/v2.0/keys", respond)
			err := proveSecret(t.Context(), d, a)
			expect(t, "4.1.4", err, outcome{undecided: []string{"4.1.4"}})
			if strings.Contains(textOf(err), "<html>") {
				t.Errorf("the answer is quoted\n%v", err)
			}
		})
	}
}

// A run that is stopped says nothing about a token.
func TestKeysInterrupted(t *testing.T) {
	c, d, a := newCloud(t)
	if err := proveTenant(t.Context(), d, a); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.answer = at("/discovery/v2.0/keys", func(http.ResponseWriter, *http.Request) { cancel() })
	expect(t, "4.1.4", proveSecret(ctx, d, a), outcome{undecided: []string{"4.1.4"}})
}

// Keys of a kind that nobody here knows do not keep the others from verifying.
func TestKeysOfAnotherKind(t *testing.T) {
	c, d, a := newCloud(t)
	c.answer = at("/discovery/v2.0/keys", func(w http.ResponseWriter, _ *http.Request) {
		write(w, 200, map[string]any{"keys": []any{map[string]string{"kty": "AKP", "kid": "new"}, jose.JSONWebKey{Key: signingKey().Public(), KeyID: c.keyID, Use: "sig"}}})
	})
	if err := proveSecret(t.Context(), d, a); err != nil {
		t.Error(err)
	}
}

// The time of one item is not that of the next: what it cut off is not kept.
func TestTimeUp(t *testing.T) {
	c, d, a := newCloud(t)
	var answers atomic.Bool
	c.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if answers.Load() {
			return false
		}
		_ = r.ParseForm() // the end of a request shows once it is read
		<-r.Context().Done()
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, item := range items {
		_ = item.prove(ctx, d, a)
	}
	(&entrance{directory: d}).confess(ctx)
	answers.Store(true)
	for _, item := range items {
		if err := item.prove(t.Context(), d, a); err != nil {
			t.Errorf("%s: %v", item.id, err)
		}
	}
}

// A clock is named with what to do, the runner's own first.
func TestClocks(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		f := finding.As(judgeClock(ahead))
		if f == nil || !f.Undecided || !strings.HasPrefix(f.Do, "correct the clock of the machine that the runner is on") {
			t.Errorf("%s: %v", ahead, f)
		}
	}
}

// Only Entra ID's own word that there is no such tenant, or another tenant's issuer, fails 4.1.3.
func TestTenantTroubles(t *testing.T) {
	for name, respond := range tokenTroubles {
		t.Run(name, func(t *testing.T) {
			for _, part := range []string{"/openid-configuration", "/keys"} {
				c, d, a := newCloud(t)
				c.answer = at(part, respond)
				expect(t, "4.1.3", proveTenant(t.Context(), d, a), outcome{undecided: []string{"4.1.3"}})
			}
		})
	}
	c, d, a := newCloud(t)
	c.answer = at("/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { write(w, 200, map[string]string{"error": "blocked"}) })
	expect(t, "4.1.3", proveTenant(t.Context(), d, a), outcome{undecided: []string{"4.1.3"}})
	c.answer, d.discovered = at("/openid-configuration", refusal(400, "invalid_request", "AADSTS900023: Specified tenant identifier is neither.")), once[*discovery]{}
	expect(t, "4.1.3", proveTenant(t.Context(), d, a), outcome{failed: map[string]string{"4.1.3": "AADSTS900023"}})
}

// What answers in the place of Microsoft Graph does not know its groups, and its refusal is
// not mended with a permission.
func TestGraphInItsPlace(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired, http.StatusBadGateway} {
		c, d, a := newCloud(t)
		c.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/v1.0/") {
				w.WriteHeader(status)
				w.Write([]byte("<html>blocked</html>"))
				return true
			}
			return false
		}
		for _, item := range items {
			f := finding.As(item.prove(t.Context(), d, a))
			if f != nil && (!f.Undecided || strings.Contains(f.Do, "grant") || !strings.Contains(f.Why, "proxy")) {
				t.Errorf("%d, %s:\n%v", status, item.id, f)
			}
		}
	}
}

// Listing a group's members fails consent only where Microsoft Graph denies it for want of it.
func TestListing(t *testing.T) {
	for status, code := range map[int]string{500: "InternalServerError", 404: "Request_ResourceNotFound", 403: "", 400: "BadRequest"} {
		c, d, a := newCloud(t)
		c.answer = at("/members", func(w http.ResponseWriter, _ *http.Request) { refuseGraph(w, status, code, "no") })
		expect(t, "4.1.8", proveConsent(t.Context(), d, a.Permissions, usersID), outcome{undecided: []string{"4.1.8"}})
	}
	c, d, a := newCloud(t)
	c.answer = at("/members", func(w http.ResponseWriter, _ *http.Request) {
		refuseGraph(w, 403, "Authorization_RequestDenied", "Insufficient privileges.")
	})
	expect(t, "4.1.8", proveConsent(t.Context(), d, a.Permissions, usersID), outcome{failed: map[string]string{"4.1.8": "Insufficient privileges"}})
	c, d, a = newCloud(t)
	delete(c.groups, usersID)
	if f := finding.As(proveConsent(t.Context(), d, a.Permissions, usersID)); f == nil || f.Do != "see item 4.2.1.1" {
		t.Errorf("the group is gone: %v", f)
	}
}
