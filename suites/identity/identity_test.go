package identity

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// items are the measured items in their order, as the checks prove them.
var items = []struct {
	id    string
	prove func(ctx context.Context, d *directory, a answers.Entra) error
}{
	{"4.1.1", proveRegistration}, {"4.1.2", proveClientID}, {"4.1.3", proveTenant}, {"4.1.4", proveSecret}, {"4.1.5", proveSecretDate}, {"4.1.6", proveRedirect},
	{"4.1.7.1", func(ctx context.Context, d *directory, a answers.Entra) error {
		return provePermission(ctx, d, userRead, a.Permissions.UserRead)
	}},
	{"4.1.7.2", func(ctx context.Context, d *directory, a answers.Entra) error {
		return provePermission(ctx, d, groupMemberReadAll, a.Permissions.GroupMemberReadAll)
	}},
	{"4.1.8", func(ctx context.Context, d *directory, a answers.Entra) error {
		return proveConsent(ctx, d, a.Permissions, usersID)
	}},
	{"4.2.1.1", func(ctx context.Context, d *directory, _ answers.Entra) error {
		return proveGroups(ctx, d, answeredGroups(groupAnswers())[0])
	}},
	{"4.2.1.2", func(ctx context.Context, d *directory, _ answers.Entra) error {
		return proveGroups(ctx, d, answeredGroups(groupAnswers())[1])
	}},
	{"4.2.1.3", func(ctx context.Context, d *directory, _ answers.Entra) error {
		return proveGroups(ctx, d, answeredGroups(groupAnswers())[2])
	}},
	{"4.2.2", func(ctx context.Context, d *directory, _ answers.Entra) error {
		return proveObjectIDs(ctx, d, answeredGroups(groupAnswers()))
	}},
}

func groupAnswers() answers.Groups {
	restricted := true
	return answers.Groups{GPURestricted: &restricted, Users: answers.EntraGroup{Name: "SG-JupyterHub-Users", ObjectID: strings.ToUpper(usersID)},
		Admins: answers.EntraGroup{Name: "SG-JupyterHub-Admins", ObjectID: adminsID}, GPUUsers: answers.EntraGroup{Name: "SG-JupyterHub-GPU", ObjectID: gpuID}}
}

// Lists of items that hang together.
var (
	groupIDs    = []string{"4.2.1.1", "4.2.1.2", "4.2.1.3", "4.2.2"}
	needsToken  = append([]string{"4.1.5", "4.1.7.1", "4.1.7.2", "4.1.8"}, groupIDs...)
	needsApp    = append([]string{"4.1.4", "4.1.6"}, needsToken...)
	needsTenant = append([]string{"4.1.1", "4.1.2"}, needsApp...)
)

// outcome says what a defect does: words of each failed item, and the undecided ones.
type outcome struct {
	failed    map[string]string
	undecided []string
}

// Each defect is found by its own item, and the others do not fail for it.
func TestDefects(t *testing.T) {
	type change func(c *cloud, d *directory, a *answers.Entra)
	answer := func(part string, respond http.HandlerFunc) change {
		return func(c *cloud, _ *directory, _ *answers.Entra) {
			c.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, part) {
					return false
				}
				respond(w, r)
				return true
			}
		}
	}
	login := func(part string, status int, kind, description string) change {
		return answer(part, func(w http.ResponseWriter, _ *http.Request) { refuseLogin(w, status, kind, description) })
	}
	secret := func(text string) change {
		return func(_ *cloud, d *directory, _ *answers.Entra) {
			d.secret = func(context.Context) (string, error) { return text, nil }
		}
	}
	with := func(edit func(c *cloud)) change {
		return func(c *cloud, _ *directory, _ *answers.Entra) { edit(c) }
	}
	claim := func(name string, value any) change {
		return with(func(c *cloud) { c.claims = func(all map[string]any) { all[name] = value } })
	}
	moved := func(by time.Duration) change {
		return with(func(c *cloud) {
			c.claims = func(all map[string]any) {
				for _, name := range []string{"iat", "nbf", "exp"} {
					all[name] = all[name].(int64) + int64(by/time.Second)
				}
			}
		})
	}
	for name, test := range map[string]struct {
		change change
		want   outcome
	}{
		"healthy": {with(func(*cloud) {}), outcome{}},
		"wrong tenant": {func(_ *cloud, d *directory, _ *answers.Entra) { d.tenant = "00000000-0000-0000-0000-000000000001" },
			outcome{map[string]string{"4.1.3": "AADSTS90002"}, needsTenant}},
		"no answer of the kind": {answer("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }),
			outcome{nil, append([]string{"4.1.3"}, needsTenant...)}},
		"blocked by a proxy's page": {answer(tenantID, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>blocked</html>")) }),
			outcome{nil, append([]string{"4.1.3"}, needsTenant...)}},
		"another issuer": {with(func(c *cloud) { c.issuer = c.url + "/00000000-0000-0000-0000-000000000001/v2.0" }),
			outcome{map[string]string{"4.1.3": "the tenant's issuer is"}, nil}},
		"no keys": {answer("/discovery/v2.0/keys", func(w http.ResponseWriter, _ *http.Request) { write(w, 200, map[string]any{"keys": []any{}}) }),
			outcome{map[string]string{"4.1.3": "none of the 0 keys"}, []string{"4.1.4"}}},
		"registered elsewhere": {answer("/v1.0/applications", func(w http.ResponseWriter, _ *http.Request) {
			refuseGraph(w, 404, "Request_ResourceNotFound", "Resource does not exist.")
		}), outcome{map[string]string{"4.1.1": "in another tenant"}, []string{"4.1.5"}}},
		"registration hidden by a proxy": {answer("/v1.0/applications", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "blocked", 404) }),
			outcome{nil, []string{"4.1.5"}}},
		"unknown application": {func(_ *cloud, d *directory, _ *answers.Entra) { d.clientID = "00000000-0000-0000-0000-000000000002" },
			outcome{map[string]string{"4.1.1": "AADSTS700016", "4.1.2": "entra.clientId"}, needsApp}},
		"disabled application": {login("/token", 400, "unauthorized_client", "AADSTS7000112: Application is disabled."),
			outcome{map[string]string{"4.1.1": "disabled", "4.1.2": "disabled"}, append([]string{"4.1.4"}, needsToken...)}},
		"wrong secret": {secret("wrong"), outcome{map[string]string{"4.1.4": "AADSTS7000215"}, needsToken}},
		"expired secret": {login("/token", 401, "invalid_client", "AADSTS7000222: The provided client secret keys are expired."),
			outcome{map[string]string{"4.1.4": "AADSTS7000222", "4.1.5": "AADSTS7000222"}, append([]string{"4.1.7.1", "4.1.7.2", "4.1.8"}, groupIDs...)}},
		"busy":                         {login("/token", 429, "", ""), outcome{nil, append([]string{"4.1.1", "4.1.2", "4.1.4"}, needsToken...)}},
		"issuer's clock ahead":         {moved(10 * time.Minute), outcome{nil, []string{"4.1.4"}}},
		"issuer's clock behind":        {moved(-2 * time.Hour), outcome{nil, []string{"4.1.4"}}},
		"token of another tenant":      {claim("tid", "00000000-0000-0000-0000-000000000001"), outcome{map[string]string{"4.1.4": "it is of tenant"}, nil}},
		"token of another issuer":      {claim("iss", "https://sts.windows.net/"+tenantID+"/"), outcome{map[string]string{"4.1.4": "sts.windows.net"}, nil}},
		"token of another application": {claim("azp", graphAppID), outcome{map[string]string{"4.1.4": "another application"}, nil}},
		"token for another audience":   {claim("aud", []string{"x", "y"}), outcome{map[string]string{"4.1.4": "it is for x, y"}, nil}},
		"token that is none": {answer("/token", func(w http.ResponseWriter, _ *http.Request) {
			write(w, 200, map[string]any{"access_token": "opaque-and-secret", "token_type": "Bearer"})
		}), outcome{map[string]string{"4.1.4": "no JSON Web Token"}, append([]string{"4.1.1", "4.1.2"}, needsToken...)}},
		"secret expiring": {with(func(c *cloud) { c.secrets[1]["endDateTime"] = time.Now().Add(10 * day) }),
			outcome{map[string]string{"4.1.5": "in 10 days"}, nil}},
		"secret's date differs": {with(func(c *cloud) { c.secrets[1]["endDateTime"] = time.Now().Add(100 * day) }),
			outcome{map[string]string{"4.1.5": "set entra.secretExpires: " + time.Now().Add(100*day).UTC().Format(time.DateOnly)}, nil}},
		"secret unknown to the directory": {with(func(c *cloud) { c.secrets = c.secrets[:1] }), outcome{nil, []string{"4.1.5"}}},
		"redirect missing": {with(func(c *cloud) { c.redirects = []string{"https://other.aiv.internal/hub/oauth_callback"} }),
			outcome{map[string]string{"4.1.6": "registered are https://other"}, nil}},
		"redirect in the clear": {with(func(c *cloud) { c.redirects = []string{strings.Replace(redirectURI, "https", "http", 1)} }),
			outcome{map[string]string{"4.1.6": "without encryption"}, nil}},
		"redirect anywhere": {with(func(c *cloud) { c.redirects = []string{redirectURI, unregistered(redirectURI)} }),
			outcome{map[string]string{"4.1.6": "the user is sent there"}, nil}},
		"answered in the clear": {func(_ *cloud, _ *directory, a *answers.Entra) {
			a.RedirectURI = strings.Replace(redirectURI, "https", "http", 1)
		}, outcome{map[string]string{"4.1.6": "unencrypted"}, nil}},
		"consent missing": {with(func(c *cloud) {
			c.grants, c.assigned, c.roles = nil, nil, []string{"Application.Read.All", "Directory.Read.All"}
		}),
			outcome{map[string]string{"4.1.7.1": "nobody consented", "4.1.7.2": "no administrator consented", "4.1.8": "GroupMember.Read.All (application)"}, groupIDs}},
		"consent of one user": {with(func(c *cloud) { c.grants[0]["consentType"] = "Principal" }),
			outcome{map[string]string{"4.1.8": "User.Read (delegated) (granted to single users only)"}, nil}},
		"consent for another service": {with(func(c *cloud) { c.grants[0]["resourceId"] = "other" }),
			outcome{map[string]string{"4.1.7.1": "nobody consented", "4.1.8": "User.Read (delegated)"}, nil}},
		"permission missing": {with(func(c *cloud) {
			c.requested, c.assigned, c.roles = append(c.requested[:1:1], c.requested[2]), c.assigned[1:], []string{"Application.Read.All", "Directory.Read.All"}
		}), outcome{map[string]string{"4.1.7.2": "requests User.Read (delegated)"}, groupIDs}},
		"permission in its other form": {with(func(c *cloud) {
			c.requested[1] = map[string]string{"type": scopeType, "id": groupMemberReadAll.delegated}
		}), outcome{map[string]string{"4.1.7.2": "in its other form, delegated", "4.1.8": "GroupMember.Read.All (delegated)"}, nil}},
		"delegated permission without consent": {with(func(c *cloud) {
			c.requested = append(c.requested, map[string]string{"type": scopeType, "id": directoryReadDelegated})
		}), outcome{map[string]string{"4.1.8": "consent is missing for Directory.Read.All (delegated)"}, nil}},
		"delegated permission with consent": {with(func(c *cloud) {
			c.requested = append(c.requested, map[string]string{"type": scopeType, "id": directoryReadDelegated})
			c.grants[0]["scope"] += " Directory.Read.All"
		}), outcome{}},
		"delegated permission of no name": {with(func(c *cloud) { c.requested = append(c.requested, map[string]string{"type": scopeType, "id": "gone"}) }),
			outcome{nil, []string{"4.1.8"}}},
		"application permission of no name": {with(func(c *cloud) { c.requested = append(c.requested, map[string]string{"type": roleType, "id": "new"}) }),
			outcome{map[string]string{"4.1.8": "consent is missing for new (application)"}, nil}},
		"Graph itself cannot be read": {answer("/v1.0/servicePrincipals(appId='"+graphAppID, func(w http.ResponseWriter, _ *http.Request) {
			refuseGraph(w, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		}), outcome{nil, []string{"4.1.7.1", "4.1.8"}}},
		"assignments cannot be read": {answer("/appRoleAssignments", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }),
			outcome{}},
		"assignments cannot be read, one of them unknown": {func(c *cloud, d *directory, a *answers.Entra) {
			c.requested = append(c.requested, map[string]string{"type": roleType, "id": "new"})
			answer("/appRoleAssignments", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })(c, d, a)
		}, outcome{nil, []string{"4.1.8"}}},
		"User.Read for the application": {func(_ *cloud, _ *directory, a *answers.Entra) { a.Permissions.UserRead = answers.Application },
			outcome{map[string]string{"4.1.7.1": "as a delegated permission only"}, nil}},
		"may not read applications": {with(func(c *cloud) { c.roles = []string{groupMemberReadAll.name} }), outcome{nil, []string{"4.1.5", "4.1.7.1", "4.1.8"}}},
		"may read nothing":          {with(func(c *cloud) { c.roles = nil }), outcome{map[string]string{"4.1.7.2": "holds no permission", "4.1.8": "GroupMember.Read.All"}, append([]string{"4.1.5", "4.1.7.1"}, groupIDs...)}},
		"ID of another group": {with(func(c *cloud) {
			c.groups[usersID]["displayName"] = "SG-Printers"
			c.groups["x"] = map[string]any{"id": "the-right-one", "displayName": "SG-JupyterHub-Users"}
		}), outcome{map[string]string{"4.2.1.1": `"SG-JupyterHub-Users" is the-right-one`, "4.2.2": "SG-Printers"}, nil}},
		"group gone":        {with(func(c *cloud) { delete(c.groups, gpuID) }), outcome{map[string]string{"4.2.1.3": "no group has this ID", "4.2.2": "no group has this ID"}, nil}},
		"no security group": {with(func(c *cloud) { c.groups[gpuID]["securityEnabled"] = false }), outcome{map[string]string{"4.2.1.3": "no security group", "4.2.2": "no security group"}, nil}},
		"no administrators": {with(func(c *cloud) { c.members[adminsID] = nil }), outcome{map[string]string{"4.2.1.2": "it has none"}, nil}},
		"administrators nested": {with(func(c *cloud) {
			c.members[adminsID] = []map[string]string{{"@odata.type": groupType, "id": "g"}}
			c.members[adminsID+"/transitive"] = []map[string]string{{"id": "u"}}
		}), outcome{}},
		"administrators nested, nobody": {with(func(c *cloud) { c.members[adminsID] = []map[string]string{{"@odata.type": groupType, "id": "g"}} }),
			outcome{map[string]string{"4.2.1.2": "none of its 1 members is a user"}, nil}},
		"Graph failing": {answer("/v1.0/", func(w http.ResponseWriter, _ *http.Request) { refuseGraph(w, 500, "InternalServerError", "sorry") }),
			outcome{nil, []string{"4.1.5", "4.1.7.1", "4.1.8", "4.2.1.1", "4.2.1.2", "4.2.1.3", "4.2.2"}}},
		"Graph refuses the token": {answer("/v1.0/", func(w http.ResponseWriter, _ *http.Request) {
			refuseGraph(w, 401, "InvalidAuthenticationToken", "Invalid audience.")
		}), outcome{nil, []string{"4.1.5", "4.1.7.1", "4.1.8", "4.2.1.1", "4.2.1.2", "4.2.1.3", "4.2.2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c, d, a := newCloud(t)
			test.change(c, d, &a)
			if name == "busy" {
				d.client.Transport = patience{d.client.Transport.(patience).RoundTripper, func() string { return "" }, 0}
			}
			for _, item := range items {
				expect(t, item.id, item.prove(t.Context(), d, a), test.want)
			}
		})
	}
}

func expect(t *testing.T, id string, err error, want outcome) {
	t.Helper()
	words, fails := want.failed[id]
	undecided := slices.Contains(want.undecided, id)
	f := finding.As(err)
	switch {
	case err != nil && f == nil:
		t.Errorf("%s: no finding: %v", id, err)
	case !fails && !undecided && err != nil:
		t.Errorf("%s: passes else, got (undecided: %v)\n%v", id, f.Undecided, err)
	case (fails || undecided) && err == nil:
		t.Errorf("%s: passed", id)
	case err != nil && f.Undecided != undecided:
		t.Errorf("%s: undecided is %v, want %v\n%v", id, f.Undecided, undecided, err)
	case !strings.Contains(textOf(err), words):
		t.Errorf("%s: want %q, got\n%v", id, words, err)
	}
	for _, secret := range []string{rightSecret, "opaque-and-secret", "eyJ", `hint`} {
		if strings.Contains(textOf(err), secret) {
			t.Errorf("%s: %q is in\n%v", id, secret, err)
		}
	}
	if f != nil && (f.Expected == "" || f.Found == "" || f.Do == "") {
		t.Errorf("%s: the finding lacks something\n%v", id, err)
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// All items together ask for two tokens, and for nothing twice.
func TestNothingIsAskedTwice(t *testing.T) {
	c, d, a := newCloud(t)
	for _, item := range items {
		if err := item.prove(t.Context(), d, a); err != nil {
			t.Errorf("%s: %v", item.id, err)
		}
	}
	allowed := map[string]int{"/" + tenantID + "/oauth2/v2.0/token": 2, "/" + tenantID + "/oauth2/v2.0/authorize": 2, "/" + tenantID + "/discovery/v2.0/keys": 2}
	for path, count := range c.asked {
		if strings.HasSuffix(path, "/members") {
			continue
		}
		if count > max(allowed[path], 1) {
			t.Errorf("%s was asked for %d times", path, count)
		}
	}
	t.Log(slices.Sorted(maps.Keys(c.asked)))
}

// A secret that was refused is not sent again: accounts are locked after some attempts.
func TestWrongSecretIsSentOnce(t *testing.T) {
	c, d, a := newCloud(t)
	d.secret = func(context.Context) (string, error) { return "wrong", nil }
	for _, item := range items {
		_ = item.prove(t.Context(), d, a)
	}
	if got := c.asked["/"+tenantID+"/oauth2/v2.0/token"]; got != 1 {
		t.Errorf("%d requests for a token", got)
	}
}

// Without a secret, an authorization request tells whether there is such an application.
func TestRecogniseWithoutSecret(t *testing.T) {
	_, d, a := newCloud(t)
	d.secret = nil
	if err := proveRegistration(t.Context(), d, a); err != nil {
		t.Error(err)
	}
	_, d, a = newCloud(t)
	d.secret, d.clientID = nil, "00000000-0000-0000-0000-000000000002"
	expect(t, "4.1.2", proveClientID(t.Context(), d, a), outcome{failed: map[string]string{"4.1.2": "AADSTS700016"}})
	c, d, a := newCloud(t)
	d.secret = nil
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		w.Write([]byte("<html>Sign in</html>"))
		return true
	}
	expect(t, "4.1.2", proveClientID(t.Context(), d, a), outcome{undecided: []string{"4.1.2"}})
}
