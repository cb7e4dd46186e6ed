package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"aiv.internal/conformance/framework/finding"
)

// token is an access token of the application itself.
type token struct {
	// raw is the secret part; it goes nowhere but to the service that it is for.
	raw    string
	header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
		// Nonce marks tokens whose signature only Microsoft Graph can verify.
		Nonce string `json:"nonce"`
	}
	claims claims
}

// claims are what access tokens of Entra ID say
// (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
type claims struct {
	Issuer   string   `json:"iss"`
	Audience audience `json:"aud"`
	Tenant   string   `json:"tid"`
	// The application's ID, in versions 1.0 and 2.0.
	AppID           string   `json:"appid"`
	AuthorizedParty string   `json:"azp"`
	Roles           []string `json:"roles"`
	// Object is the object ID of the user, or of the application's service principal.
	Object string `json:"oid"`
	// Of an ID token: the groups, and where groups are that are too many. What Elsewhere
	// holds is only a name.
	Nonce     string            `json:"nonce"`
	Groups    []string          `json:"groups"`
	HasGroups bool              `json:"hasgroups"`
	Elsewhere map[string]string `json:"_claim_names"`
	IssuedAt  seconds           `json:"iat"`
	NotBefore seconds           `json:"nbf"`
	Expires   seconds           `json:"exp"`
}

func (c claims) application() string {
	if c.AuthorizedParty != "" {
		return c.AuthorizedParty
	}
	return c.AppID
}

// audience is one text or a list of them (RFC 7519, 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// seconds is a NumericDate (RFC 7519, 2).
type seconds float64

func (s seconds) time() time.Time { return time.Unix(int64(s), 0) }

// A token is asked for with these scopes. The signature of a token for Microsoft Graph
// cannot be verified by anybody else, so that one for the application itself proves it.
func (d *directory) ownScope() string   { return d.clientID + "/.default" }
func (d *directory) graphScope() string { return d.graph.String() + "/.default" }

// ownToken returns a token for the application itself.
func (d *directory) ownToken(ctx context.Context) (*token, error) {
	return d.own.get(ctx, func() (*token, error) { return d.request(ctx, d.ownScope()) })
}

// graphToken returns a token for Microsoft Graph.
func (d *directory) graphToken(ctx context.Context) (*token, error) {
	return d.forGraph.get(ctx, func() (*token, error) {
		// A secret that was refused once is not sent again.
		if d.own.done && refusesSecret(codeOf(d.own.err)) {
			return nil, d.own.err
		}
		return d.request(ctx, d.graphScope())
	})
}

func refusesSecret(code int) bool {
	return code == codeSecretWrong || code == codeSecretExpired || code == codeSecretNotAllowed
}

// request makes a client-credentials grant. The secret goes to the answered login endpoint
// only, wherever the OpenID configuration points.
func (d *directory) request(ctx context.Context, scope string) (*token, error) {
	secret, err := d.secret(ctx)
	if err != nil {
		return nil, err
	}
	config := clientcredentials.Config{ClientID: d.clientID, ClientSecret: secret, TokenURL: d.of("oauth2/v2.0/token"),
		Scopes: []string{scope}, AuthStyle: oauth2.AuthStyleInParams}
	issued, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, d.client))
	if err != nil {
		return nil, d.tokenError(err, config.TokenURL)
	}
	t, err := parseToken(issued.AccessToken)
	if err != nil {
		return nil, finding.Failed("the token endpoint answers with a signed token", err.Error(), "this is not Entra ID", "correct entra.loginUrl").Because(err)
	}
	return t, nil
}

// tokenError makes the library's error one of ours. Nothing of an answer that is not a
// refusal is quoted: it may hold a token.
func (d *directory) tokenError(err error, address string) error {
	what := http.MethodPost + " " + address
	var refusal *oauth2.RetrieveError
	if errors.As(err, &refusal) && refusal.Response != nil {
		return loginRefusal(what, refusal.Response.StatusCode, refusal.Body)
	}
	var connection *url.Error
	if errors.As(err, &connection) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return finding.NotDecided(what+" is answered with a token", "an answer that holds none", "a proxy or something else than Entra ID answered", "correct entra.loginUrl, or see what the company's proxy does with it")
}

// parseToken reads a JSON Web Token without verifying it.
func parseToken(raw string) (*token, error) {
	t := &token{raw: raw}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token is no JSON Web Token")
	}
	for part, into := range map[string]any{parts[0]: &t.header, parts[1]: &t.claims} {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return nil, errors.New("the token is no JSON Web Token")
		}
	}
	return t, nil
}

// signatureAlgorithms are those that a provider of OpenID Connect may sign with.
var signatureAlgorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512}

// verify checks the signature with the tenant's keys.
func (d *directory) verify(ctx context.Context, t *token) error {
	expected := "the token is signed with one of the tenant's keys"
	keys, unloaded := d.keysOf(ctx, t)
	verifier := oidc.NewVerifier("", &oidc.StaticKeySet{PublicKeys: keys}, &oidc.Config{SupportedSigningAlgs: signatureAlgorithms, SkipIssuerCheck: true, SkipClientIDCheck: true, SkipExpiryCheck: true})
	_, err := verifier.Verify(ctx, t.raw)
	if err == nil {
		return nil
	}
	if _, discoverErr := d.discover(ctx); discoverErr != nil {
		return dependent(discoverErr, expected, loginKey, "4.1.3")
	}
	if unloaded != nil {
		return finding.Undecide(explain(unloaded, "the tenant's signing keys load", loginKey))
	}
	return finding.Failed(expected, "its signature does not verify: "+short(err.Error()),
		"something between the runner and Entra ID answers in its place, or entra.loginUrl and its keys belong to two providers", "see what the company's proxy does with "+d.login.Host).Because(err)
}

const (
	// clockLeeway is how far a token's times may lie in the future. JupyterHub allows
	// nothing at all.
	clockLeeway = time.Minute
	// clockLimit is how far clocks may be apart: Kerberos, SAML and Microsoft's own libraries
	// draw the line there.
	clockLimit = 5 * time.Minute
)

// judge holds a token against what a verifier would ask of it.
func (d *directory) judge(t *token, audiences ...string) error {
	c, now := t.claims, d.now()
	failed := func(expected, found, why, do string) error { return finding.Failed(expected, found, why, do) }
	isAudience := func(got string) bool {
		return slices.ContainsFunc(audiences, func(want string) bool { return strings.EqualFold(strings.TrimRight(got, "/"), want) })
	}
	switch {
	case !slices.ContainsFunc(c.Audience, isAudience):
		return failed("a token for "+audiences[0], "it is for "+quoted(strings.Join(c.Audience, ", ")), "the endpoint makes tokens for something else", "correct entra.loginUrl and entra.graphUrl: both must belong to one cloud")
	case !d.isTokenIssuer(c.Issuer):
		return failed("a token of issuer "+d.of("v2.0"), "its issuer is "+quoted(c.Issuer), "another tenant or another provider made it: whoever verifies it would refuse it", "correct entra.tenantId and entra.loginUrl")
	case !strings.EqualFold(c.Tenant, d.tenant):
		return failed("a token of tenant "+d.tenant, "it is of tenant "+quoted(c.Tenant), "another tenant made it", "correct entra.tenantId")
	case c.application() != "" && !strings.EqualFold(c.application(), d.clientID):
		return failed("a token of application "+d.clientID, "it is of application "+quoted(c.application()), "a proxy answers with another application's token", "see what stands between the runner and Entra ID")
	}
	if from := max(c.NotBefore, c.IssuedAt); from.time().After(now.Add(clockLeeway)) {
		return clocksDiffer("a token that is valid now", fmt.Sprintf("it is valid from %s, %s ahead of the runner's clock", moment(from.time()), from.time().Sub(now).Round(time.Second)))
	}
	if until := c.Expires.time(); !until.After(now) {
		return clocksDiffer("a token that is valid now", fmt.Sprintf("it expired at %s, %s ago by the runner's clock, although it was made just now", moment(until), now.Sub(until).Round(time.Second)))
	}
	return nil
}

// judgeClock holds the clock of Entra ID against the runner's. That they differ decides
// nothing: the runner's own is wrong more often than that of Entra ID.
func judgeClock(ahead time.Duration) error {
	if ahead.Abs() <= clockLimit {
		return nil
	}
	return clocksDiffer(fmt.Sprintf("Entra ID's clock and the runner's at most %s apart", clockLimit), "Entra ID's clock is "+besideOurs(ahead))
}

// besideOurs says how far a clock is ahead of the runner's, or behind it.
func besideOurs(ahead time.Duration) string {
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("%s %s the runner's", ahead.Abs(), direction)
}

func clocksDiffer(expected, found string) error {
	return finding.NotDecided(expected, found, "one of the two clocks is wrong, most likely the runner's: whoever has a wrong one refuses tokens as not yet valid, or as expired",
		"correct the clock of the machine that the runner is on (chronyc tracking, timedatectl), and run it again; see that the cluster's nodes are synchronised, too")
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// anyToken returns a token to prove the secret with and the audiences that it may have: one
// for the application itself, or for Microsoft Graph where the tenant makes none of those.
func (d *directory) anyToken(ctx context.Context) (*token, []string, error) {
	t, err := d.ownToken(ctx)
	switch codeOf(err) {
	case codeTokenForItself, codeNoSuchResource, codeNotAssigned:
		t, err = d.graphToken(ctx)
		return t, []string{d.graph.String(), graphAppID}, err
	}
	return t, []string{d.clientID, "api://" + d.clientID}, err
}

// notIssued explains why there is no token. Only what Entra ID says of the secret, and a
// token that is none, fail 4.1.4: a refusal for anything else, a proxy's answer or silence
// leave open whether the secret is right. That nothing of Entra ID answers is for 4.1.3 to say.
func (d *directory) notIssued(ctx context.Context, err error) error {
	expected := "Entra ID issues a token for the client secret"
	item := remedies[codeOf(err)].item
	if _, discoverErr := d.discover(ctx); discoverErr != nil && codeOf(err) == 0 {
		item = "4.1.3"
	}
	switch {
	case item != "" && item != "4.1.4":
		return dependent(err, expected, loginKey, item)
	case item == "" && finding.As(err) == nil:
		return finding.Undecide(explain(err, expected, loginKey))
	}
	return explain(err, expected, loginKey)
}
