package identity

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/oauth2"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// errBrowser is a login that only a browser can do: its pages are programs, it goes on at
// another host, or asks for a second factor.
var errBrowser = errors.New("the login takes a browser")

// errElsewhere is a login that fails for what another item is about.
var errElsewhere = errors.New("another item says why")

func elsewhere(item string, err error) error {
	text := words(err)
	if f := finding.As(err); f != nil {
		text = f.Found
	}
	return fmt.Errorf("%w (%s): %s", errElsewhere, item, text)
}

// owned leaves what another item than 4.1.8 is about to that one.
func owned(err error) error {
	if item := remedies[codeOf(err)].item; item != "" && item != "4.1.8" {
		return elsewhere(item, err)
	}
	return err
}

// mostSteps bounds the pages and redirections of one login.
const mostSteps = 10

// visit is one login of a test user: authorization code with PKCE (RFC 7636), as JupyterHub
// does it. The password goes to the login endpoint's own form only, once, and the code goes
// back to the token endpoint, never to the redirect URI.
type visit struct {
	*directory
	browser        http.Client
	redirectURI    string
	user, password string
	sent           bool
}

// logIn logs the user in and returns the ID token, verified.
func (d *directory) logIn(ctx context.Context, redirectURI, user, password string) (*token, error) {
	secret, err := d.secret(ctx)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visit{directory: d, browser: *d.client, redirectURI: redirectURI, user: user, password: password}
	v.browser.Jar = jar
	config := oauth2.Config{ClientID: d.clientID, ClientSecret: secret, RedirectURL: redirectURI, Scopes: []string{"openid", "profile"},
		Endpoint: oauth2.Endpoint{AuthURL: d.of("oauth2/v2.0/authorize"), TokenURL: d.of("oauth2/v2.0/token"), AuthStyle: oauth2.AuthStyleInParams}}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	back, err := v.walk(ctx, config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonce), oauth2.SetAuthURLParam("response_mode", "query")))
	if err != nil {
		return nil, owned(err)
	}
	expected := "a login ends with a code for JupyterHub and an ID token"
	if back.Get("state") != state || back.Get("code") == "" {
		return nil, finding.Failed(expected, "the user comes back without a code, or with another state", "this is not Entra ID, or a proxy changes requests", "see what the company's proxy does with "+d.login.Host)
	}
	issued, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, d.client), back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		err = owned(d.tokenError(err, config.Endpoint.TokenURL))
		if remedies[codeOf(err)].item != "" {
			return nil, err
		}
		return nil, finding.Undecide(explain(err, "the token endpoint takes the code of a login", loginKey))
	}
	raw, _ := issued.Extra("id_token").(string)
	t, err := parseToken(raw)
	if err != nil {
		return nil, finding.Failed(expected, "there is no ID token", "the application is not asked for OpenID Connect", "see what the company's proxy does with "+d.login.Host).Because(err)
	}
	if err := d.judge(t, d.clientID); err != nil {
		return nil, elsewhere("4.1.4", err)
	}
	if err := d.verify(ctx, t); err != nil {
		return nil, elsewhere("4.1.4", err)
	}
	if t.claims.Nonce != nonce {
		return nil, finding.Failed(expected, "its nonce is not the one that was asked for", "an old token was sent again", "see what stands between the runner and Entra ID")
	}
	return t, nil
}

// walk goes through the pages of a login and returns what the user brings back.
func (v *visit) walk(ctx context.Context, address string) (url.Values, error) {
	next, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	for range mostSteps {
		if err != nil {
			return nil, err
		}
		if next.URL.Scheme != v.login.Scheme || next.URL.Host != v.login.Host {
			return nil, fmt.Errorf("%w: it goes on at %s", errBrowser, next.URL.Host)
		}
		response, body, err := v.sendAs(&v.browser, next)
		if err != nil {
			return nil, err
		}
		what := request(next.Method, next.URL)
		location, noLocation := response.Location()
		switch {
		case noLocation == nil && (authorization{location: location}).goesTo(v.redirectURI):
			back := location.Query()
			if kind := back.Get("error"); kind != "" {
				return nil, loginRefusal(what, response.StatusCode, []byte(back.Get("error_description")))
			}
			return back, nil
		case noLocation == nil:
			next, err = http.NewRequestWithContext(ctx, http.MethodGet, location.String(), nil)
		default:
			if refusal := loginRefusal(what, response.StatusCode, body); refusal.code != 0 || response.StatusCode >= http.StatusBadRequest {
				return nil, refusal
			}
			next, err = v.fill(ctx, response.Request.URL, body)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: it has more than %d pages", errBrowser, mostSteps)
}

// fill returns the login form of a page with name and password in it.
func (v *visit) fill(ctx context.Context, page *url.URL, body []byte) (*http.Request, error) {
	form, found := passwordForm(body)
	switch {
	case !found:
		return nil, fmt.Errorf("%w: its page is a program", errBrowser)
	case v.sent:
		return nil, fmt.Errorf("%w: it asks again, for something else", errBrowser)
	}
	v.sent = true
	action, err := page.Parse(form.action)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errBrowser, err)
	}
	form.fields.Set(form.password, v.password)
	form.fields.Set(form.name, v.user)
	filled, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(form.fields.Encode()))
	if err == nil {
		filled.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return filled, err
}

// loginForm is a form with a field for the password.
type loginForm struct {
	action string
	// name and password are the names of the fields that the user fills in.
	name, password string
	fields         url.Values
}

// passwordForm returns the first form of a page that has a field for a password and one
// before it for a name.
func passwordForm(page []byte) (loginForm, bool) {
	tokens := html.NewTokenizer(bytes.NewReader(page))
	var form loginForm
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			return loginForm{}, false
		}
		tag := tokens.Token()
		attribute := map[string]string{}
		for _, a := range tag.Attr {
			attribute[a.Key] = a.Val
		}
		switch {
		case tag.Data == "form" && kind == html.StartTagToken:
			form = loginForm{action: attribute["action"], fields: url.Values{}}
		case tag.Data == "form" && kind == html.EndTagToken && form.password != "" && form.name != "":
			return form, true
		case tag.Data != "input" || form.fields == nil || attribute["name"] == "":
		case attribute["type"] == "password":
			form.password = attribute["name"]
		case attribute["type"] == "hidden":
			form.fields.Set(attribute["name"], attribute["value"])
		case slices.Contains([]string{"", "text", "email"}, attribute["type"]) && form.name == "":
			form.name = attribute["name"]
		}
	}
}

// candidate is the first test user whose password is answered, and the object IDs of the
// groups that the answers put this user into.
func candidate(users answers.TestUsers, groups answers.Groups) (answers.TestUser, []string, bool) {
	ids := map[answers.UserGroup]string{answers.InUsers: groups.Users.ObjectID, answers.InAdmins: groups.Admins.ObjectID, answers.InGPUUsers: groups.GPUUsers.ObjectID}
	for _, user := range users.Users {
		if user.Name == "" || !user.Password.IsSet() {
			continue
		}
		var wanted []string
		for _, group := range user.Groups {
			if id := ids[group]; id != "" {
				wanted = append(wanted, strings.ToLower(id))
			}
		}
		return user, wanted, true
	}
	return answers.TestUser{}, nil, false
}

// groupsOf returns the groups that an ID token lists, or those behind the link that it holds
// where the user is in too many: tokens list 200 at most
// (https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference#groups-overage-claim).
// It also says which of the two it was.
func (d *directory) groupsOf(ctx context.Context, t *token) (ids []string, how string, err error) {
	if _, link := t.claims.Elsewhere["groups"]; !link && !t.claims.HasGroups {
		return t.claims.Groups, fmt.Sprintf("the ID token lists %d", len(t.claims.Groups)), nil
	}
	// The link itself is for Azure AD Graph, which is no more, in many tenants. Tokens list
	// groups that the user is in through another group, too.
	found, err := list[member](ctx, d, "users/"+t.claims.Object+"/transitiveMemberOf", url.Values{"$select": {"id"}, "$top": {"999"}}, nil)
	for _, one := range found {
		ids = append(ids, one.ID)
	}
	return ids, fmt.Sprintf("the ID token holds a link, as the user is in too many; Microsoft Graph lists %d", len(ids)), err
}

// judgeGroups says whether the groups hold all that the answers put the user into.
func judgeGroups(user string, ids, wanted []string, how string) error {
	expected := "the ID token of " + user + " carries the user's groups"
	if len(ids) == 0 {
		return finding.Failed(expected, "it carries none", "the application does not ask for them, or the user is in no group", "add the claim groups with security groups to ID tokens (Token configuration), and see that the user is in the answered groups")
	}
	var missing []string
	for _, id := range wanted {
		if !slices.ContainsFunc(ids, func(have string) bool { return strings.EqualFold(have, id) }) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return finding.Failed(expected, how+"; missing is "+strings.Join(missing, ", "), "the user is not in the group, or the claim is restricted to other groups", "add the user to the group, or correct testUsers; let the claim groups hold security groups (Token configuration)")
	}
	return nil
}
