package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/finding"
)

// callbackPath is where JupyterHub waits for users who come back from a login.
const callbackPath = "/hub/oauth_callback"

// judgeRedirectURI holds the answer against the name of JupyterHub; domain may be "".
func judgeRedirectURI(answered, domain string) error {
	host := domain
	if host == "" {
		host = "DOMAIN"
	}
	right := "https://" + host + callbackPath
	at, err := url.Parse(answered)
	switch {
	case err != nil:
		return finding.Failed(right, answered, "it is no address: "+err.Error(), "correct entra.redirectUri")
	case at.Scheme != "https":
		return finding.Failed("the redirect URI is "+right, answered, "users would come back unencrypted, with the code of their login; Entra ID allows that for localhost only", "register the https address, and correct entra.redirectUri")
	case at.Path != callbackPath || at.RawQuery != "" || at.Fragment != "":
		return finding.Failed("the redirect URI is "+right, answered, "JupyterHub listens at "+callbackPath+" only", "register that address, and correct entra.redirectUri")
	case domain != "" && at.Host != domain:
		return finding.Failed("the redirect URI is "+right, answered, "entra.redirectUri and dns.domain name two hosts", "correct the one that is wrong")
	}
	return nil
}

// judgeRegistered looks for the redirect URI among those of the registration, and for ones
// that stand for many addresses.
func judgeRegistered(app *application, redirectURI string) error {
	for _, registered := range slices.Concat(app.Web.RedirectURIs, app.SPA.RedirectURIs, app.PublicClient.RedirectURIs) {
		if strings.Contains(registered, "*") {
			return wildcard("every registered redirect URI is one address", "registered is "+registered)
		}
	}
	if slices.Contains(app.Web.RedirectURIs, redirectURI) {
		return nil
	}
	expected := "redirect URI " + redirectURI + " is registered, on platform Web"
	do := "add it under Authentication, platform Web, letter by letter"
	for name, others := range map[string][]string{"Single-page application": app.SPA.RedirectURIs, "Mobile and desktop applications": app.PublicClient.RedirectURIs} {
		if slices.Contains(others, redirectURI) {
			return finding.Failed(expected, "it is registered on platform "+name, "JupyterHub logs in with a client secret, which this platform does not take", "move it to platform Web")
		}
	}
	found := "none is registered"
	why := "it was not registered yet, or for another name"
	if len(app.Web.RedirectURIs) > 0 {
		found = "registered are " + strings.Join(app.Web.RedirectURIs[:min(len(app.Web.RedirectURIs), mostNamed)], ", ")
	}
	for _, other := range app.Web.RedirectURIs {
		switch {
		case other == strings.Replace(redirectURI, "https://", "http://", 1):
			found, why = "registered is "+other, "it was registered without encryption"
		case strings.EqualFold(strings.TrimRight(other, "/"), redirectURI):
			found, why = "registered is "+other, "the two differ in capital letters or in a slash at the end, and Entra ID compares letter by letter"
		}
	}
	return finding.Failed(expected, found, why, do)
}

func wildcard(expected, found string) error {
	return finding.Failed(expected, found, "a redirect URI with a wildcard is registered: whoever controls such an address gets logins of users", "remove it (Authentication), and register "+callbackPath+" only")
}

// mostNamed is how many things of a list are named.
const mostNamed = 10

// authorization is the answer to an authorization request of somebody who is not logged in.
type authorization struct {
	// refusal is Entra ID's error, nil where it gives none. That nobody is logged in is none.
	refusal *loginError
	// location is where the user is sent, nil for nowhere.
	location *url.URL
	status   int
}

// goesTo says that the user is sent to the redirect URI.
func (a authorization) goesTo(redirectURI string) bool {
	if a.location == nil {
		return false
	}
	bare := *a.location
	bare.RawQuery, bare.Fragment, bare.RawFragment = "", "", ""
	return bare.String() == redirectURI
}

// Errors that only say that nobody is logged in (OpenID Connect Core 1.0, 3.1.2.6).
var noLogin = []string{"login_required", "interaction_required", "consent_required", "account_selection_required"}

// authorize makes an authorization request without a user (prompt=none), as a browser would:
// Entra ID says what is wrong with it, or that nobody is logged in. The user agent is not
// sent on, so that nothing reaches the redirect URI.
func (d *directory) authorize(ctx context.Context, redirectURI string) (authorization, error) {
	challenge := sha256.Sum256([]byte(rand.Text()))
	query := url.Values{
		"client_id": {d.clientID}, "response_type": {"code"}, "response_mode": {"query"}, "scope": {"openid profile"}, "prompt": {"none"},
		"state": {rand.Text()}, "nonce": {rand.Text()}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])},
	}
	if redirectURI != "" {
		query.Set("redirect_uri", redirectURI)
	}
	response, body, err := d.get(ctx, d.of("oauth2/v2.0/authorize")+"?"+query.Encode())
	if err != nil {
		return authorization{}, err
	}
	what := request(http.MethodGet, response.Request.URL)
	answer := authorization{status: response.StatusCode}
	if answer.location, err = response.Location(); err == nil {
		values := answer.location.Query()
		if values.Get("error") == "" {
			values, _ = url.ParseQuery(answer.location.Fragment)
		}
		if kind := values.Get("error"); kind != "" && !slices.Contains(noLogin, kind) {
			answer.refusal = loginRefusal(what, response.StatusCode, []byte(values.Get("error_description")))
			answer.refusal.text = strings.TrimSpace(kind + " " + answer.refusal.text)
		}
		return answer, nil
	}
	answer.location = nil
	refusal := loginRefusal(what, response.StatusCode, body)
	if refusal.code == codeNoSession {
		return answer, nil
	}
	if refusal.code != 0 || response.StatusCode >= http.StatusBadRequest {
		answer.refusal = refusal
	}
	return answer, nil
}

// unregistered returns a redirect URI that nobody registers, beside the answered one.
func unregistered(redirectURI string) string {
	return strings.TrimSuffix(redirectURI, callbackPath) + "/conformance/not-registered"
}

// judgeAccepted says whether a login that comes back to the redirect URI would be refused.
func judgeAccepted(answer authorization, redirectURI string) error {
	expected := "an authorization request with redirect URI " + redirectURI + " is not refused"
	switch refusal := answer.refusal; {
	case refusal != nil && (refusal.code == codeRedirectUnknown || refusal.code == codeNoRedirects):
		return refusal.finding(expected)
	case refusal != nil && remedies[refusal.code].item != "" && remedies[refusal.code].item != "4.1.6":
		return dependent(refusal, expected, loginKey, remedies[refusal.code].item)
	case refusal != nil && refusal.code != 0:
		f := refusal.finding(expected)
		f.Undecided = remedies[refusal.code].item != "4.1.6" // it may be about something else than the redirect URI
		return f
	case refusal != nil:
		return dependent(refusal, expected, loginKey, "4.1.3")
	case answer.location != nil && !answer.goesTo(redirectURI):
		return finding.NotDecided(expected, "the user is sent to "+request("", answer.location), "a proxy or another login stands before Entra ID", "correct entra.loginUrl, or see what the company's proxy does with it")
	}
	return nil
}

// judgeRefused says whether a login that comes back to a foreign address is refused. listed
// says that the registration was read and does not hold it.
func judgeRefused(answer authorization, foreign string, listed bool) (string, error) {
	expected := "an authorization request with another redirect URI, " + foreign + ", is refused (AADSTS50011)"
	switch refusal := answer.refusal; {
	case refusal != nil && (refusal.code == codeRedirectUnknown || refusal.code == codeNoRedirects):
		return fmt.Sprintf("refused with AADSTS%d", refusal.code), nil
	case answer.goesTo(foreign):
		return "", wildcard(expected, "the user is sent there")
	case refusal != nil && refusal.code != 0:
		f := refusal.finding(expected)
		f.Undecided = true // it is about something else than the redirect URI
		return "", f
	case refusal == nil && listed:
		return "not among the registered ones; Entra ID tells before a login nothing more", nil
	case refusal != nil:
		return "", dependent(refusal, expected, loginKey, "4.1.3")
	}
	return "", finding.NotDecided(expected, fmt.Sprintf("Entra ID answers with %d and asks for a login first", answer.status), "it tells nothing to those who are not logged in, and the registration cannot be read",
		"grant the application "+toReadApplications+", or log in by hand with "+foreign)
}
