package entra

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/entra/graph"
)

// Times of a token: Entra dates it back, and leaves an hour.
const (
	backdate = 5 * time.Minute
	lifetime = time.Hour
	// skew is how far Graph lets clocks differ.
	skew = 5 * time.Minute
)

// groupLimit is how many groups a token holds; where there are more it says where to ask.
const groupLimit = 200

const (
	// graphAudience is Graph's name in every tenant.
	graphAudience = "https://graph.microsoft.com"
	// graphIssuer is who makes tokens of version 1.0.
	graphIssuer = "https://sts.windows.net/" + directory.TenantID + "/"
)

// resource is what a token is asked for.
type resource struct {
	audience string
	graph    bool
}

// resourceOf returns the resource of that identifier, and whether there is one.
func (p *provider) resourceOf(identifier string) (resource, bool) {
	switch strings.TrimSuffix(identifier, "/") {
	case graphAudience, p.GraphURL, directory.GraphAppID:
		return resource{audience: graphAudience, graph: true}, true
	case directory.ClientID:
		return resource{audience: directory.ClientID}, true
	}
	return resource{}, false
}

// appToken returns a token of the application's own.
func (p *provider) appToken(tenant directory.Directory, target resource) (string, error) {
	claims := p.times()
	claims["idtyp"] = "app"
	claims["oid"], claims["sub"] = tenant.Principal.ObjectID, tenant.Principal.ObjectID
	if !target.graph {
		p.describe(claims, target.audience)
		claims["azp"], claims["azpacr"] = directory.ClientID, "1"
		return p.keys.sign(claims)
	}
	p.describeForGraph(claims, tenant)
	if roles := tenant.Principal.Roles(); len(roles) > 0 {
		claims["roles"] = roles
	}
	return p.keys.signForGraph(claims)
}

// userToken returns a token with which the application asks Graph for the user.
func (p *provider) userToken(tenant directory.Directory, user directory.User) (string, error) {
	claims := p.times()
	p.describeForGraph(claims, tenant)
	claims["idtyp"] = "user"
	claims["oid"], claims["sub"], claims["upn"] = user.ID, pairwise(user), user.PrincipalName
	claims["scp"] = strings.Join(append(tenant.Principal.Scopes(), "openid", "profile"), " ")
	return p.keys.signForGraph(claims)
}

// describe fills in what all tokens of version 2.0 have. The lab's application asks for that
// version in its registration.
func (p *provider) describe(claims map[string]any, audience string) {
	claims["iss"], claims["aud"], claims["tid"], claims["ver"] = p.issuer(), audience, directory.TenantID, "2.0"
	claims["uti"] = rand.Text()
}

// describeForGraph fills in what all tokens for Graph have. They are of version 1.0: their
// issuer is not the discovery document's.
func (p *provider) describeForGraph(claims map[string]any, tenant directory.Directory) {
	claims["iss"], claims["aud"], claims["tid"], claims["ver"] = graphIssuer, graphAudience, directory.TenantID, "1.0"
	claims["appid"], claims["appidacr"] = directory.ClientID, "1"
	claims["app_displayname"] = tenant.Principal.DisplayName
	claims["uti"] = rand.Text()
}

// idToken returns who signed in, with the user's groups.
func (p *provider) idToken(tenant directory.Directory, user directory.User, nonce string) (string, error) {
	claims := p.times()
	p.describe(claims, directory.ClientID)
	claims["oid"], claims["sub"] = user.ID, pairwise(user)
	claims["name"], claims["preferred_username"] = user.Name, user.PrincipalName
	if nonce != "" {
		claims["nonce"] = nonce
	}
	p.addGroups(claims, tenant, user)
	return p.keys.sign(claims)
}

// addGroups names the user's groups, or where to ask for them where there are too many.
func (p *provider) addGroups(claims map[string]any, tenant directory.Directory, user directory.User) {
	var ids []string
	for _, group := range tenant.GroupsOf(user.ID) {
		ids = append(ids, group.ID)
	}
	switch {
	case len(ids) > groupLimit:
		claims["_claim_names"] = map[string]string{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": p.GraphURL + graph.Version + "/users/" + user.ID + "/getMemberObjects",
		}}
	case len(ids) > 0:
		claims["groups"] = ids
	}
}

func (p *provider) times() map[string]any {
	now := p.now()
	return map[string]any{
		"iat": now.Add(-backdate).Unix(), "nbf": now.Add(-backdate).Unix(), "exp": now.Add(lifetime).Unix(),
	}
}

// pairwise is the user's subject, another one for each application.
func pairwise(user directory.User) string {
	digest := sha256.Sum256([]byte(directory.ClientID + user.ID))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// verifyForGraph says what Graph finds in a token, or why it refuses it, in its words. Graph's
// clock is right whatever the provider's is.
func (p *provider) verifyForGraph(token string) (found graph.Token, refusal string) {
	payload, err := p.keys.verifyForGraph(token)
	if err != nil {
		return graph.Token{}, "IDX10511: Signature validation failed."
	}
	var claims struct {
		Issuer    string   `json:"iss"`
		Audience  string   `json:"aud"`
		Tenant    string   `json:"tid"`
		AppID     string   `json:"appid"`
		UserID    string   `json:"oid"`
		Type      string   `json:"idtyp"`
		Scopes    string   `json:"scp"`
		Roles     []string `json:"roles"`
		NotBefore int64    `json:"nbf"`
		Expires   int64    `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return graph.Token{}, "CompactToken parsing failed."
	}
	now := time.Now()
	switch {
	case !slices.Contains([]string{graphAudience, directory.GraphAppID}, claims.Audience):
		return graph.Token{}, "Access token validation failure. Invalid audience."
	case claims.Issuer != graphIssuer || claims.Tenant != directory.TenantID:
		return graph.Token{}, "Access token validation failure. Invalid issuer."
	case now.Add(skew).Unix() < claims.NotBefore:
		return graph.Token{}, "Lifetime validation failed, the token is not yet valid."
	case now.Add(-skew).Unix() > claims.Expires:
		return graph.Token{}, "Lifetime validation failed, the token is expired."
	}
	found = graph.Token{AppID: claims.AppID, Roles: claims.Roles}
	if claims.Type == "user" {
		found.UserID, found.Scopes = claims.UserID, strings.Fields(claims.Scopes)
	}
	return found, ""
}
