package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"aiv.internal/conformance/framework/answers"
)

const (
	tenantID    = "99999999-8888-7777-6666-555555555555"
	clientID    = "11111111-2222-3333-4444-555555555555"
	rightSecret = "Qx3~s3cret-of-the-test"
	redirectURI = "https://jupyterhub.aiv.internal/hub/oauth_callback"

	usersID  = "aaaaaaaa-0000-4000-8000-000000000001"
	adminsID = "aaaaaaaa-0000-4000-8000-000000000002"
	gpuID    = "aaaaaaaa-0000-4000-8000-000000000003"

	principalID      = "bbbbbbbb-0000-4000-8000-000000000001"
	graphPrincipalID = "bbbbbbbb-0000-4000-8000-000000000002"

	directoryReadDelegated = "06da0dbc-49e2-44d2-8312-53f166ab848a"
)

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// cloud is Entra ID and Microsoft Graph with one tenant, as the checks see them. Tests change
// it before they ask.
type cloud struct {
	counting sync.Mutex
	url      string
	// answer answers a request itself and returns true, or leaves it to the cloud.
	answer func(w http.ResponseWriter, r *http.Request) bool
	// claims changes a token before it is signed.
	claims func(map[string]any)
	// issuer is what the OpenID configuration says, "" for the right one.
	issuer string
	// key signs tokens under the ID keyID; the published key is always the same.
	key       *rsa.PrivateKey
	keyID     string
	roles     []string
	redirects []string
	requested []map[string]string
	assigned  []string
	grants    []map[string]string
	secrets   []map[string]any
	groups    map[string]map[string]any
	// groupClaims and optionalClaims are what the registration says of groups in tokens.
	groupClaims    any
	optionalClaims any
	members        map[string][]map[string]string
	// begun is the authorization request of the login in progress.
	begun url.Values
	// asked counts requests by path.
	asked map[string]int
}

func newCloud(t *testing.T) (*cloud, *directory, answers.Entra) {
	t.Helper()
	c := &cloud{
		key:       signingKey(),
		keyID:     "one",
		roles:     []string{"Application.Read.All", "Directory.Read.All", groupMemberReadAll.name},
		redirects: []string{redirectURI},
		requested: []map[string]string{
			{"type": scopeType, "id": userRead.delegated}, {"type": roleType, "id": groupMemberReadAll.application},
			{"type": roleType, "id": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"},
		},
		assigned: []string{groupMemberReadAll.application, "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"},
		grants: []map[string]string{
			{"consentType": "AllPrincipals", "scope": "openid User.Read", "resourceId": graphPrincipalID},
		},
		secrets: []map[string]any{
			{"keyId": "old", "displayName": "old", "hint": "abc", "endDateTime": time.Now().Add(5 * day)},
			{"keyId": "new", "displayName": "JupyterHub", "hint": rightSecret[:3], "endDateTime": time.Now().Add(200 * day)},
		},
		groups: map[string]map[string]any{
			usersID:  {"id": usersID, "displayName": "SG-JupyterHub-Users", "securityEnabled": true},
			adminsID: {"id": adminsID, "displayName": "SG-JupyterHub-Admins", "securityEnabled": true},
			gpuID:    {"id": gpuID, "displayName": "SG-JupyterHub-GPU", "securityEnabled": true},
		},
		members: map[string][]map[string]string{
			usersID:  {{"@odata.type": "#microsoft.graph.device", "id": "d"}, {"@odata.type": userType, "id": "u1"}, {"@odata.type": userType, "id": "u2"}},
			adminsID: {{"@odata.type": userType, "id": "u1"}},
			gpuID:    {{"@odata.type": userType, "id": "u2"}},
		},
		asked: map[string]int{},
	}
	server := httptest.NewUnstartedServer(c)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c.url = server.URL
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	a := answers.Entra{ClientID: clientID, TenantID: tenantID, LoginURL: server.URL, GraphURL: server.URL + "/", RedirectURI: redirectURI, CAFile: ca,
		SecretExpires: dateIn(200 * day), Permissions: answers.EntraPermissions{UserRead: answers.Delegated, GroupMemberReadAll: answers.Application}}
	return c, directoryOf(t, a), a
}

func directoryOf(t *testing.T, a answers.Entra) *directory {
	t.Helper()
	d, err := newDirectory(a, a.CAFile, answers.Proxies{}, func() string { return "test" })
	if err != nil {
		t.Fatal(err)
	}
	d.secret = func(context.Context) (string, error) { return rightSecret, nil }
	return d
}

func dateIn(d time.Duration) answers.Date {
	at := time.Now().Add(d)
	return answers.Date{Time: time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.Local)}
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.counting.Lock() // a request that was given up may come late
	c.asked[r.URL.Path]++
	c.counting.Unlock()
	if c.answer != nil && c.answer(w, r) {
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/"+tenantID+"/")
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1.0/"):
		c.graph(w, r, strings.TrimPrefix(r.URL.Path, "/v1.0/"))
	case !ok:
		refuseLogin(w, 400, "invalid_tenant", "AADSTS90002: Tenant 'x' not found.")
	case path == "v2.0/.well-known/openid-configuration":
		issuer := c.issuer
		if issuer == "" {
			issuer = c.url + "/" + tenantID + "/v2.0"
		}
		base := c.url + "/" + tenantID
		write(w, 200, map[string]string{"issuer": issuer, "authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token", "jwks_uri": base + "/discovery/v2.0/keys"})
	case path == "discovery/v2.0/keys":
		write(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: signingKey().Public(), KeyID: c.keyID, Use: "sig"}}})
	case path == "login":
		c.login(w, r)
	case path == "oauth2/v2.0/token":
		c.token(w, r)
	case path == "oauth2/v2.0/authorize":
		c.authorize(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (c *cloud) token(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.FormValue("client_id") != clientID:
		refuseLogin(w, 400, "unauthorized_client", "AADSTS700016: Application with identifier 'x' was not found in the directory 'AIV'.")
		return
	case r.FormValue("client_secret") != rightSecret:
		refuseLogin(w, 401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": c.url + "/" + tenantID + "/v2.0", "tid": tenantID, "azp": clientID, "oid": principalID, "iat": now.Add(-5 * time.Minute).Unix(), "nbf": now.Add(-5 * time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
	kind := "access_token"
	claims["aud"] = strings.TrimSuffix(r.FormValue("scope"), "/.default")
	if r.FormValue("grant_type") == "authorization_code" {
		if r.FormValue("code") != "the-code" || r.FormValue("redirect_uri") != redirectURI || oauth2.S256ChallengeFromVerifier(r.FormValue("code_verifier")) != c.begun.Get("code_challenge") {
			refuseLogin(w, 400, "invalid_grant", "AADSTS501481: The Code_Verifier does not match.")
			return
		}
		kind = "id_token"
		delete(claims, "azp")
		claims["aud"], claims["nonce"], claims["oid"], claims["groups"] = clientID, c.begun.Get("nonce"), "u1", []string{usersID, adminsID}
	}
	if claims["aud"] == c.url {
		claims["roles"] = c.roles
	}
	if c.claims != nil {
		c.claims(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: c.key, KeyID: c.keyID}}, nil)
	if err != nil {
		panic(err)
	}
	payload, _ := json.Marshal(claims)
	signed, _ := signer.Sign(payload)
	raw, _ := signed.CompactSerialize()
	write(w, 200, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": raw, kind: raw})
}

// login takes the login form of the test user.
func (c *cloud) login(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("session")
	switch {
	case err != nil || cookie.Value != "1" || r.FormValue("ctx") != "a&b":
		http.Error(w, "no session", 400)
	case r.FormValue("login") != testUser || r.FormValue("passwd") != testPassword:
		fmt.Fprint(w, "<script>$Config={sErrTxt:'AADSTS50126: Error validating credentials.'}</script>"+loginPage)
	default:
		w.Header().Set("Location", c.begun.Get("redirect_uri")+"?code=the-code&state="+c.begun.Get("state"))
		w.WriteHeader(http.StatusFound)
	}
}

const (
	testUser     = "jhub-test1@aiv.internal"
	testPassword = "s3cret-of-a-user"
	loginPage    = `<html><form action="/search"><input name="q"></form><form method="post" action="login"><input type="hidden" name="ctx" value="a&amp;b">` +
		`<input type=hidden name="login_hint"><input name="login"><input type="password" name="passwd"><input type="submit" name="go"></form></html>`
)

func (c *cloud) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for _, known := range c.redirects {
		if known == q.Get("redirect_uri") && q.Get("client_id") == clientID {
			if q.Get("prompt") == "" {
				c.begun = q
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
				fmt.Fprint(w, strings.Replace(loginPage, `"login"`, `"/`+tenantID+`/login"`, 1))
				return
			}
			w.Header().Set("Location", known+"?error=login_required&error_description=AADSTS50058%3A+no+session&state="+q.Get("state"))
			w.WriteHeader(http.StatusFound)
			return
		}
	}
	text := "AADSTS50011: The redirect URI specified in the request does not match."
	if q.Get("client_id") != clientID {
		text = "AADSTS700016: Application with identifier was not found."
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, `<html><script>$Config={"strServiceExceptionMessage":"%s\r\nTrace ID: 1"}</script></html>`, text)
}

func (c *cloud) graph(w http.ResponseWriter, r *http.Request, path string) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey") {
		refuseGraph(w, 401, "InvalidAuthenticationToken", "Access token is empty.")
		return
	}
	may := func(role string) bool {
		for _, have := range c.roles {
			if have == role {
				return true
			}
		}
		refuseGraph(w, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		return false
	}
	group, members, _ := strings.Cut(strings.TrimPrefix(path, "groups/"), "/")
	switch {
	case path == "applications(appId='"+clientID+"')":
		if may("Application.Read.All") {
			write(w, 200, map[string]any{"id": "app", "appId": clientID, "displayName": "JupyterHub", "signInAudience": "AzureADMyOrg", "groupMembershipClaims": c.groupClaims, "optionalClaims": c.optionalClaims,
				"web": map[string]any{"redirectUris": c.redirects}, "passwordCredentials": c.secrets,
				"requiredResourceAccess": []any{map[string]any{"resourceAppId": graphAppID, "resourceAccess": c.requested}}})
		}
	case path == "servicePrincipals(appId='"+clientID+"')":
		if may("Application.Read.All") {
			write(w, 200, map[string]any{"id": principalID, "accountEnabled": true})
		}
	case path == "servicePrincipals(appId='"+graphAppID+"')":
		write(w, 200, map[string]any{"id": graphPrincipalID, "oauth2PermissionScopes": []any{
			map[string]string{"id": userRead.delegated, "value": userRead.name}, map[string]string{"id": groupMemberReadAll.delegated, "value": groupMemberReadAll.name},
			map[string]string{"id": directoryReadDelegated, "value": "Directory.Read.All"}}})
	case path == "servicePrincipals/"+principalID+"/appRoleAssignments":
		if !may("Application.Read.All") {
			return
		}
		var all []any
		for _, id := range c.assigned {
			all = append(all, map[string]string{"appRoleId": id})
		}
		write(w, 200, map[string]any{"value": all})
	case path == "oauth2PermissionGrants":
		if may("Directory.Read.All") {
			write(w, 200, map[string]any{"value": c.grants})
		}
	case path == "groups":
		if may(groupMemberReadAll.name) {
			for _, g := range c.groups {
				if r.URL.Query().Get("$filter") == fmt.Sprintf("displayName eq '%s'", g["displayName"]) {
					write(w, 200, map[string]any{"value": []any{g}})
					return
				}
			}
			write(w, 200, map[string]any{"value": []any{}})
		}
	case path == "users/u1/transitiveMemberOf":
		if may(groupMemberReadAll.name) {
			write(w, 200, map[string]any{"value": []any{map[string]string{"@odata.type": groupType, "id": usersID}, map[string]string{"@odata.type": groupType, "id": "around"}}})
		}
	case c.groups[group] == nil:
		refuseGraph(w, 404, "Request_ResourceNotFound", "Resource does not exist.")
	case members == "":
		if may(groupMemberReadAll.name) {
			write(w, 200, c.groups[group])
		}
	case members == "members": // one at a time
		if may(groupMemberReadAll.name) {
			all := c.members[group]
			at := 0
			fmt.Sscan(r.URL.Query().Get("$skiptoken"), &at)
			page := map[string]any{"value": all[min(at, len(all)):min(at+1, len(all))]}
			if at+1 < len(all) {
				page["@odata.nextLink"] = fmt.Sprintf("%s/v1.0/groups/%s/members?$skiptoken=%d", c.url, group, at+1)
			}
			write(w, 200, page)
		}
	case members == "transitiveMembers/microsoft.graph.user":
		write(w, 200, map[string]any{"value": c.members[group+"/transitive"]})
	default:
		refuseGraph(w, 404, "Request_ResourceNotFound", "Resource does not exist.")
	}
}

func refuseLogin(w http.ResponseWriter, status int, kind, description string) {
	write(w, status, map[string]any{"error": kind, "error_description": description + "\r\nTrace ID: 1"})
}

func refuseGraph(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("request-id", "the-request")
	write(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
