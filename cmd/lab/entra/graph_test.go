package entra

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/entra/graph"
)

func TestGraphVerifiesTokens(t *testing.T) {
	l, other := newLab(t), newLab(t)
	good := l.token(graphAudience + "/.default")
	for _, c := range []struct{ name, token, want string }{
		{"no token", "", "Access token is empty."},
		{"no JWT", "abc", "Signature validation failed"},
		{"another resource's token", l.token(directory.ClientID + "/.default"), "Invalid audience"},
		{"another provider's token", other.token(graphAudience + "/.default"), "Signature validation failed"},
		{"changed token", strings.Replace(good, ".", ".e30", 1), "Signature validation failed"},
	} {
		answer := l.do("GET", l.url+"/v1.0/groups/"+directory.UsersID, nil, "Authorization", "Bearer "+c.token, "client-request-id", "my-id")
		if answer.StatusCode != 401 || !strings.Contains(answer.text, `"InvalidAuthenticationToken"`) || !strings.Contains(answer.text, c.want) {
			t.Errorf("%s: %s %s", c.name, answer.Status, answer.text)
		}
		if answer.Header.Get("client-request-id") != "my-id" {
			t.Errorf("%s: the request's ID is lost", c.name)
		}
	}
	if answer := l.do("GET", l.url+"/v1.0/groups/"+directory.UsersID, nil, "Authorization", "Bearer "+good); answer.StatusCode != 200 {
		t.Errorf("the right token: %s", answer.text)
	}
}

func TestGraphKeepsRightTime(t *testing.T) {
	p := &provider{Settings: Settings{Active: func(string) bool { return false }}}
	var err error
	if p.keys, err = newKeyring(func() bool { return false }); err != nil {
		t.Fatal(err)
	}
	tenant := directory.Lab(directory.Credential{}, p.Active, time.Now())
	for _, c := range []struct {
		nbf, exp time.Duration
		want     string
	}{
		{-time.Hour, time.Hour, ""}, {skew - time.Minute, time.Hour, ""}, {-time.Hour, -skew + time.Minute, ""},
		{skew + time.Minute, time.Hour, "not yet valid"}, {-time.Hour, -skew - time.Minute, "expired"},
	} {
		claims := map[string]any{"nbf": time.Now().Add(c.nbf).Unix(), "exp": time.Now().Add(c.exp).Unix()}
		p.describeForGraph(claims, tenant)
		token, err := p.keys.signForGraph(claims)
		if err != nil {
			t.Fatal(err)
		}
		if _, refusal := p.verifyForGraph(token); (refusal == "") != (c.want == "") || !strings.Contains(refusal, c.want) {
			t.Errorf("from %s to %s: %q", c.nbf, c.exp, refusal)
		}
	}
}

type members struct {
	Value []struct {
		ID          string  `json:"id"`
		DisplayName *string `json:"displayName"`
		Type        string  `json:"@odata.type"`
	}
	Next string `json:"@odata.nextLink"`
}

func TestPaging(t *testing.T) {
	l := newLab(t)
	header := []string{"Authorization", "Bearer " + l.token(graphAudience+"/.default")}
	for _, c := range []struct {
		query string
		pages int
	}{{"", 12}, {"?$top=999", 2}, {"?$top=999&$select=id", 2}} {
		seen, pages := map[string]bool{}, 0
		for next := l.url + "/v1.0/groups/" + directory.UsersID + "/members" + c.query; next != ""; pages++ {
			var got members
			l.do("GET", next, nil, header...).decode(t, &got)
			for _, member := range got.Value {
				seen[member.ID] = true
				if member.Type != "#microsoft.graph.user" || member.DisplayName != nil {
					t.Fatalf("%+v", member)
				}
			}
			next = got.Next
		}
		if pages != c.pages || len(seen) != 1200 {
			t.Errorf("%q: %d members on %d pages", c.query, len(seen), pages)
		}
	}
	if answer := l.do("GET", l.url+"/v1.0/groups?$top=1000", nil, header...); answer.StatusCode != 400 {
		t.Errorf("too large a page: %s", answer.Status)
	}
}

func TestThrottling(t *testing.T) {
	l := newLab(t, graph.FaultThrottled)
	for _, path := range []string{"groups/" + directory.UsersID, "groups/" + directory.AdminsID} {
		refused, answered := l.graph(path), l.graph(path)
		if refused.StatusCode != 429 || refused.Header.Get("Retry-After") != "1" || answered.StatusCode != 200 {
			t.Errorf("%s after %q, then %s", refused.Status, refused.Header.Get("Retry-After"), answered.Status)
		}
	}
}

// TestResources asks for each address; want is in the answer.
func TestResources(t *testing.T) {
	l := newLab(t)
	filter := func(condition string) string { return "?$filter=" + url.QueryEscape(condition) }
	for _, c := range []struct {
		path, want string
		status     int
		header     []string
	}{
		{"applications" + filter("appId eq '"+directory.ClientID+"'"), directory.ApplicationObjectID, 200, nil},
		{"applications" + filter("appId eq '"+directory.TenantID+"'"), `"value":[]`, 200, nil},
		{"applications(appId='" + directory.ClientID + "')", `"endDateTime":"`, 200, nil},
		{"applications/" + directory.ApplicationObjectID + "?$select=id,web", directory.RedirectURI, 200, nil},
		{"applications(appId='" + directory.TenantID + "')", "Request_ResourceNotFound", 404, nil},
		{"applications" + filter("startswith(displayName,'J')"), "Invalid filter clause", 400, nil},
		{"servicePrincipals" + filter("appId eq '"+directory.ClientID+"'"), directory.PrincipalID, 200, nil},
		{"servicePrincipals(appId='" + directory.GraphAppID + "')", directory.GroupMemberReadAll.ID, 200, nil},
		{"servicePrincipals/" + directory.PrincipalID + "/appRoleAssignments", directory.GroupMemberReadAll.ID, 200, nil},
		{"servicePrincipals/" + directory.PrincipalID + "/oauth2PermissionGrants", `"scope":"User.Read"`, 200, nil},
		{"servicePrincipals/" + directory.TenantID + "/appRoleAssignments", "Request_ResourceNotFound", 404, nil},
		{"oauth2PermissionGrants" + filter("clientId eq '"+directory.PrincipalID+"'"), `"consentType":"AllPrincipals"`, 200, nil},
		{"oauth2PermissionGrants" + filter("clientId eq '"+directory.TenantID+"'"), `"value":[]`, 200, nil},
		{"groups/" + directory.AdminsID, directory.AdminsName, 200, nil},
		{"groups" + filter("displayName eq '"+directory.GPUName+"'"), directory.GPUID, 200, nil},
		{"groups/" + directory.TenantID, "Request_ResourceNotFound", 404, nil},
		{"groups/" + directory.AdminsID + "/members/$count", "2", 200, []string{"ConsistencyLevel", "eventual"}},
		{"groups/" + directory.AdminsID + "/members/$count", "$count", 400, nil},
		{"users/" + directory.TestUserID + "/memberOf", directory.UsersID, 200, nil},
		{"users/" + directory.CrowdedID + "/transitiveMemberOf?$top=999", directory.UsersID, 200, nil},
		{"users/" + directory.TenantID + "/memberOf", "Request_ResourceNotFound", 404, nil},
		{"devices", "BadRequest", 400, nil},
	} {
		answer := l.graph(c.path, c.header...)
		if answer.StatusCode != c.status || !strings.Contains(answer.text, c.want) {
			t.Errorf("%s: %s %s", c.path, answer.Status, answer.text)
		}
	}
	if answer := l.graph("applications/" + directory.ApplicationObjectID + "?$select=id"); strings.Contains(answer.text, "redirectUris") {
		t.Errorf("more than what was selected: %s", answer.text)
	}
	if answer := l.graph("applications"); strings.Contains(answer.text, secretValue) {
		t.Error("the secret is told")
	}
}

// TestFaultsOfTheTenant plants each and asks what shows it.
func TestFaultsOfTheTenant(t *testing.T) {
	application := "applications(appId='" + directory.ClientID + "')"
	lab := newLab(t)
	roles := "servicePrincipals/" + directory.PrincipalID + "/appRoleAssignments"
	for _, c := range []struct{ fault, path, healthy, broken string }{
		{directory.FaultSecretExpiring, application, `"endDateTime":"` + day(364), `"endDateTime":"` + day(10)},
		{directory.FaultSecretDate, application, `"endDateTime":"` + day(364), `"endDateTime":"` + day(264)},
		{directory.FaultRedirectMissing, application, `"` + directory.RedirectURI, `"https://other.aiv.internal/`},
		{directory.FaultRedirectHTTP, application, `"https://jupyterhub`, `"http://jupyterhub`},
		{directory.FaultConsentMissing, roles, directory.GroupMemberReadAll.ID, `[{"appRoleId":"` + directory.ApplicationReadAll.ID},
		{directory.FaultConsentMissing, application, directory.UserRead.ID, directory.UserRead.ID},
		{directory.FaultConsentMissing, "oauth2PermissionGrants", `"User.Read"`, `"value":[]`},
		{directory.FaultConsentMissing, "groups/" + directory.UsersID, directory.UsersName, "Authorization_RequestDenied"},
		{directory.FaultPermissionMissing, application, directory.UserRead.ID, `[{"id":"` + directory.ApplicationReadAll.ID},
		{directory.FaultGroupOther, "groups/" + directory.UsersID, directory.UsersName, "SG-Finance-Reporting"},
		{directory.FaultGPUGroupGone, "groups/" + directory.GPUID, directory.GPUName, "Request_ResourceNotFound"},
		{directory.FaultOtherGroupEmpty, "groups/" + directory.OtherID + "/members", `"id"`, `"value":[]`},
		{directory.FaultAdminsEmpty, "groups/" + directory.AdminsID + "/members", `"id"`, `"value":[]`},
	} {
		t.Run(c.fault, func(t *testing.T) {
			if answer := lab.graph(c.path); !strings.Contains(answer.text, c.healthy) {
				t.Errorf("healthy: %s", answer.text)
			}
			if answer := lab.with(t, c.fault).graph(c.path); !strings.Contains(answer.text, c.broken) {
				t.Errorf("planted: %s", answer.text)
			}
		})
	}
}

func day(ahead int) string { return time.Now().UTC().AddDate(0, 0, ahead).Format(time.DateOnly) }
