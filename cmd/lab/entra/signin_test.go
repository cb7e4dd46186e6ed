package entra

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

const verifier = "a-code-verifier-that-is-long-enough-for-the-standard"

// signIn is an authorization request that succeeds on the healthy lab, with some of it changed.
func signIn(changes ...string) string {
	query := url.Values{
		"client_id": {directory.ClientID}, "response_type": {"code"}, "redirect_uri": {directory.RedirectURI},
		"scope": {"openid profile"}, "state": {"my state"}, "nonce": {"my-nonce"}, "response_mode": {"query"},
		"code_challenge": {oidc.NewSHACodeChallenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		query.Set(changes[i], changes[i+1])
	}
	return authorizePath + "?" + query.Encode()
}

func TestAuthorizationRequest(t *testing.T) {
	healthy := newLab(t)
	for _, c := range []struct {
		name, fault, request string
		status               int
		page                 string // what the page holds; a redirect without one
	}{
		{"silent", "", signIn("prompt", "none"), 302, ""},
		{"sign-in page", "", signIn(), 200, "ConvergedSignIn"},
		{"redirect URI of nobody", "", signIn("redirect_uri", "https://evil.example/"), 200, "AADSTS50011"},
		{"redirect URI of nobody, silent", "", signIn("redirect_uri", "https://evil.example/", "prompt", "none"), 200, "AADSTS50011"},
		{"redirect URI not registered", directory.FaultRedirectMissing, signIn("prompt", "none"), 200, "AADSTS50011"},
		{"redirect URI registered with http", directory.FaultRedirectHTTP, signIn("prompt", "none"), 200, "AADSTS50011"},
		{"unknown application", directory.FaultAppUnknown, signIn("prompt", "none"), 200, "AADSTS700016"},
		{"malformed", "", signIn("response_type", "token"), 200, "AADSTS9002313"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := healthy.with(t, c.fault)
			answer := l.do("GET", l.base+c.request, nil)
			if answer.StatusCode != c.status || !strings.Contains(answer.text, c.page) {
				t.Errorf("%s: %s", answer.Status, answer.text)
			}
			if to := answer.Header.Get("Location"); c.page == "" &&
				(!strings.HasPrefix(to, directory.RedirectURI+"?error=login_required&") || !strings.HasSuffix(to, "&state=my+state")) {
				t.Errorf("redirected to %q", to)
			}
		})
	}
	if answer := healthy.do("GET", healthy.url+"/"+otherTenantID+signIn(), nil); !strings.Contains(answer.text, "AADSTS90002") {
		t.Errorf("another tenant: %s", answer.text)
	}
}

// signIn follows a sign-in to the answer of its form.
func (l *lab) signIn(user, password string) response {
	l.Helper()
	page := l.do("GET", l.base+signIn(), nil)
	found := regexp.MustCompile(`action="([^"]+)"(?s:.*)name="ctx" value="([^"]+)"`).FindStringSubmatch(page.text)
	if found == nil {
		l.Fatalf("no form in %s", page.text)
	}
	return l.do("POST", l.url+found[1], url.Values{"ctx": {found[2]}, "login": {user}, "passwd": {password}})
}

func exchange(code, verifier string) url.Values {
	form := asked("grant_type", "authorization_code", "code", code, "redirect_uri", directory.RedirectURI, "code_verifier", verifier)
	form.Del("scope")
	return form
}

func (l *lab) codeOf(answer response) string {
	l.Helper()
	to, err := answer.Location()
	if err != nil {
		l.Fatalf("%v: %s", err, answer.text)
	}
	if to.Query().Get("state") != "my state" {
		l.Errorf("redirected to %s", to)
	}
	return to.Query().Get("code")
}

func TestSignIn(t *testing.T) {
	l := newLab(t)
	code := l.codeOf(l.signIn(directory.TestUser, directory.TestPassword))
	var got tokens
	l.do("POST", l.base+tokenPath, exchange(code, verifier)).decode(t, &got)
	if err := l.verified(got.ID); err != nil {
		t.Fatal(err)
	}
	claims := claimsOf(t, got.ID)
	for name, want := range map[string]any{
		"iss": l.base + "/v2.0", "aud": directory.ClientID, "oid": directory.TestUserID, "nonce": "my-nonce", "preferred_username": directory.TestUser,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if groups, _ := claims["groups"].([]any); len(groups) != 2 || groups[0] != directory.UsersID || groups[1] != directory.GPUID {
		t.Errorf("groups are %v", claims["groups"])
	}
	if scopes := claimsOf(t, got.Access)["scp"]; scopes != "User.Read openid profile" {
		t.Errorf("scopes are %v", scopes)
	}
	// The same code again.
	if again := l.do("POST", l.base+tokenPath, exchange(code, verifier)); !strings.Contains(again.text, "AADSTS70008") {
		t.Error(again.text)
	}
}

func TestTooManyGroups(t *testing.T) {
	l := newLab(t)
	var got tokens
	l.do("POST", l.base+tokenPath, exchange(l.codeOf(l.signIn(directory.CrowdedUser, directory.TestPassword)), verifier)).decode(t, &got)
	claims := claimsOf(t, got.ID)
	sources, _ := claims["_claim_sources"].(map[string]any)
	source, _ := sources["src1"].(map[string]any)
	address, _ := source["endpoint"].(string)
	if claims["groups"] != nil || claims["_claim_names"] == nil || address == "" {
		t.Fatalf("%v", claims)
	}
	answer := l.do("POST", address, nil, "Authorization", "Bearer "+l.token(graphAudience+"/.default"))
	var groups struct{ Value []string }
	answer.decode(t, &groups)
	if len(groups.Value) <= groupLimit {
		t.Errorf("%d groups: %s", len(groups.Value), answer.text)
	}
}

func TestSignInRefused(t *testing.T) {
	healthy := newLab(t)
	for _, c := range []struct{ name, fault, password, verifier, want string }{
		{"wrong password", "", "wrong", verifier, "AADSTS50126"},
		{"wrong verifier", "", directory.TestPassword, "another", "AADSTS501481"},
		{"no consent", directory.FaultConsentMissing, directory.TestPassword, verifier, "AADSTS65001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := healthy.with(t, c.fault)
			answer := l.signIn(directory.TestUser, c.password)
			if answer.StatusCode == 302 {
				answer = l.do("POST", l.base+tokenPath, exchange(l.codeOf(answer), c.verifier))
			}
			if !strings.Contains(answer.text, c.want) {
				t.Errorf("%s: %s", answer.Status, answer.text)
			}
		})
	}
}
