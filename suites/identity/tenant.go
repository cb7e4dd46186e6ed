package identity

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aiv.internal/conformance/framework/finding"
)

// discovery is what the tenant's OpenID configuration says (OpenID Connect Discovery 1.0),
// and how many keys it signs with.
type discovery struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Keys          string `json:"jwks_uri"`

	// Simulated is how a directory that only stands for Entra ID owns up to it.
	Simulated string `json:"conformance.aiv.internal/simulated"`

	// signingKeys is how many keys can be verified with.
	signingKeys int
	// ahead is how far the service's clock is before the runner's.
	ahead time.Duration
}

// discover loads the tenant's OpenID configuration and its keys, and judges both.
func (d *directory) discover(ctx context.Context) (*discovery, error) {
	return d.discovered.get(ctx, func() (*discovery, error) {
		address := d.of("v2.0/.well-known/openid-configuration")
		expected := "tenant " + d.tenant + " has an OpenID configuration at " + d.login.String()
		found := new(discovery)
		date, err := d.document(ctx, address, found)
		if err != nil {
			return nil, unloaded(err, expected)
		}
		d.simulated = found.Simulated
		if !date.IsZero() {
			found.ahead = date.Sub(d.now()).Round(time.Second)
		}
		if found.Issuer == "" {
			return nil, finding.NotDecided(expected, "the answer names no issuer", "a proxy or something else than Entra ID answered", "correct entra.loginUrl, or see what the company's proxy does with it")
		}
		if !d.isIssuer(found.Issuer) {
			return nil, finding.Failed("the tenant's issuer is "+d.of("v2.0"), "its OpenID configuration says "+quoted(found.Issuer),
				"the address belongs to another tenant or another provider, or a proxy answers in its place: tokens would not verify",
				"correct entra.tenantId and entra.loginUrl; where they are right, see what stands between the runner and Entra ID")
		}
		for name, endpoint := range map[string]string{"authorization_endpoint": found.Authorization, "token_endpoint": found.Token, "jwks_uri": found.Keys} {
			if at, err := url.Parse(endpoint); err != nil || at.Scheme != "https" {
				return nil, finding.Failed("an OpenID configuration with https endpoints", name+" is "+quoted(endpoint), "this is not Entra ID's own configuration", "correct entra.loginUrl")
			}
		}
		found.signingKeys, err = d.countKeys(ctx, found.Keys)
		return found, err
	})
}

// unloaded explains why a document of the tenant did not load. That fails only where Entra ID
// itself says that there is no such tenant: the runner's network, a proxy in it and the CAs of
// the runner's image say nothing about the tenant's ID.
func unloaded(err error, expected string) *finding.Finding {
	f := explain(err, expected, loginKey)
	f.Undecided = remedies[codeOf(err)].item != "4.1.3"
	return f
}

// countKeys loads the keys and returns how many of them verify signatures.
func (d *directory) countKeys(ctx context.Context, address string) (int, error) {
	expected := "the tenant's signing keys load from " + address
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
			Use  string `json:"use"`
			ID   string `json:"kid"`
		} `json:"keys"`
	}
	if _, err := d.document(ctx, address, &set); err != nil {
		return 0, unloaded(err, expected)
	}
	count := 0
	for _, key := range set.Keys {
		if (key.Use == "" || key.Use == "sig") && key.ID != "" && key.Type != "oct" {
			count++
		}
	}
	if count == 0 {
		return 0, finding.Failed(expected, fmt.Sprintf("none of the %d keys there is one to verify with", len(set.Keys)), "this is not Entra ID's own list", "correct entra.loginUrl")
	}
	return count, nil
}

// document loads JSON from Entra ID and returns the server's time, zero where it tells none.
func (d *directory) document(ctx context.Context, address string, into any) (time.Time, error) {
	response, body, err := d.get(ctx, address)
	if err != nil {
		return time.Time{}, err
	}
	what := request(http.MethodGet, response.Request.URL)
	if response.StatusCode != http.StatusOK {
		return time.Time{}, loginRefusal(what, response.StatusCode, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return time.Time{}, finding.NotDecided(what+" is answered with JSON", "another kind of text: "+err.Error(), "a proxy or something else than Entra ID answered",
			"correct entra.loginUrl, or see what the company's proxy does with it").Because(err)
	}
	date, err := http.ParseTime(response.Header.Get("Date"))
	if age, ageErr := strconv.Atoi(response.Header.Get("Age")); err == nil && ageErr == nil {
		date = date.Add(time.Duration(age) * time.Second) // from a proxy's cache
	}
	return date, nil
}

// Names of the same login endpoint: the OpenID configuration at each of them holds the
// issuer of the first.
var sameLogin = [][]string{
	{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"},
	{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
	{"login.microsoftonline.us", "login-us.microsoftonline.com"},
}

// Issuers of tokens in version 1.0, which Microsoft's clouds still make for many services.
var oldIssuers = []string{"sts.windows.net", "sts.chinacloudapi.cn", "sts.microsoftonline.us"}

// isIssuer says that an issuer is the tenant's, at the login endpoint that was answered.
func (d *directory) isIssuer(issuer string) bool {
	at, err := url.Parse(issuer)
	if err != nil || at.Scheme != "https" || !strings.EqualFold(strings.TrimSuffix(at.Path, "/"), d.login.Path+"/"+d.tenant+"/v2.0") {
		return false
	}
	return at.Host == d.login.Host || slices.ContainsFunc(sameLogin, func(names []string) bool {
		return names[0] == at.Host && slices.Contains(names, d.login.Host)
	})
}

// isTokenIssuer says that a token's issuer is the tenant's.
func (d *directory) isTokenIssuer(issuer string) bool {
	if d.isIssuer(issuer) {
		return true
	}
	at, err := url.Parse(issuer)
	microsoft := slices.ContainsFunc(sameLogin, func(names []string) bool { return slices.Contains(names, d.login.Host) })
	return microsoft && err == nil && at.Scheme == "https" && slices.Contains(oldIssuers, at.Host) && strings.EqualFold(strings.Trim(at.Path, "/"), d.tenant)
}

// publicKey is one of the tenant's keys, without the key where it is of a kind that is not
// known here (RFC 7517, 5: such ones are left out).
type publicKey struct {
	id  string
	key crypto.PublicKey
}

func (k *publicKey) UnmarshalJSON(text []byte) error {
	var read jose.JSONWebKey
	if read.UnmarshalJSON(text) == nil && read.IsPublic() {
		k.id, k.key = read.KeyID, read.Key
	}
	return nil
}

// keysOf returns those of the tenant's keys that a token names: they lie where its
// configuration says, or else where Entra ID has them. They are loaded anew for a token whose
// key is not among them: keys rotate.
func (d *directory) keysOf(ctx context.Context, t *token) ([]crypto.PublicKey, error) {
	if named := t.signers(d.signingKeys); len(named) > 0 {
		return named, nil
	}
	address := d.of("discovery/v2.0/keys")
	if found, err := d.discover(ctx); err == nil {
		address = found.Keys
	}
	var set struct {
		Keys []publicKey `json:"keys"`
	}
	if _, err := d.document(ctx, address, &set); err != nil {
		return nil, err
	}
	d.signingKeys = set.Keys
	return t.signers(set.Keys), nil
}

// signers returns the keys that the token names, all of them where it names none.
func (t *token) signers(keys []publicKey) []crypto.PublicKey {
	var named []crypto.PublicKey
	for _, one := range keys {
		if one.key != nil && (t.header.Key == "" || t.header.Key == one.id) {
			named = append(named, one.key)
		}
	}
	return named
}

func quoted(text string) string {
	if text == "" {
		return "nothing"
	}
	return short(text)
}
