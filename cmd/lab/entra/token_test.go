package entra

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

func TestDiscovery(t *testing.T) {
	l := newLab(t)
	var document struct {
		Issuer    string `json:"issuer"`
		Simulated string `json:"conformance.aiv.internal/simulated"`
		Token     string `json:"token_endpoint"`
		Keys      string `json:"jwks_uri"`
	}
	l.do("GET", l.base+"/v2.0/.well-known/openid-configuration", nil).decode(t, &document)
	if document.Issuer != l.base+"/v2.0" || document.Token != l.base+tokenPath || document.Keys != l.base+keysPath || document.Simulated == "" {
		t.Errorf("%+v", document)
	}
	l.plant(FaultIssuerOther)
	l.do("GET", l.base+"/v2.0/.well-known/openid-configuration", nil).decode(t, &document)
	if document.Issuer == l.base+"/v2.0" || strings.Contains(document.Issuer, directory.TenantID) {
		t.Errorf("the issuer is still %s", document.Issuer)
	}
}

func TestTokenOfTheApplication(t *testing.T) {
	l := newLab(t)
	token := l.token(directory.ClientID + "/.default")
	if err := l.verified(token); err != nil {
		t.Error(err)
	}
	claims := claimsOf(t, token)
	for name, want := range map[string]any{
		"aud": directory.ClientID, "tid": directory.TenantID, "azp": directory.ClientID, "oid": directory.PrincipalID,
		"iss": l.base + "/v2.0", "roles": nil,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if begins := time.Unix(int64(claims["nbf"].(float64)), 0); time.Since(begins) < backdate || time.Since(begins) > backdate+time.Minute {
		t.Errorf("valid from %s", begins)
	}
}

func TestTokenForGraph(t *testing.T) {
	l := newLab(t)
	for _, scope := range []string{graphAudience + "/.default", l.url + "/.default", graphAudience + "//.default"} {
		token := l.token(scope)
		if err := l.verified(token); err == nil {
			t.Error("somebody other than Graph can verify its token")
		}
		claims := claimsOf(t, token)
		if got := fmt.Sprint(claims["roles"]); claims["aud"] != graphAudience || claims["iss"] != graphIssuer || !strings.Contains(got, "GroupMember.Read.All") {
			t.Errorf("audience %v, roles %v", claims["aud"], got)
		}
	}
}

func TestBasicAuthentication(t *testing.T) {
	l := newLab(t)
	form := asked()
	form.Del("client_id")
	form.Del("client_secret")
	request, err := http.NewRequestWithContext(t.Context(), "POST", l.base+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(directory.ClientID, secretValue)
	answer, err := l.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Error(answer.Status)
	}
}

func TestRefusals(t *testing.T) {
	const stranger = "00000000-1111-4222-8333-444444444444"
	healthy := newLab(t)
	for _, c := range []struct {
		name, fault, tenant string
		form                url.Values
		status, code        int
		kind                string
	}{
		{"wrong secret", "", "", asked("client_secret", "wrong"), 401, codeSecretWrong, "invalid_client"},
		{"secret replaced", FaultSecretWrong, "", asked(), 401, codeSecretWrong, "invalid_client"},
		{"secret expired", directory.FaultSecretExpired, "", asked(), 401, codeSecretExpired, "invalid_client"},
		{"no secret", "", "", asked("client_secret", ""), 401, codeSecretMissing, "invalid_client"},
		{"another application", "", "", asked("client_id", stranger), 400, codeAppUnknown, "unauthorized_client"},
		{"application gone", directory.FaultAppUnknown, "", asked(), 400, codeAppUnknown, "unauthorized_client"},
		{"another tenant", "", stranger, asked(), 400, codeTenantUnknown, "invalid_request"},
		{"another resource", "", "", asked("scope", "https://vault.azure.net/.default"), 400, codeResourceUnknown, "invalid_resource"},
		{"scope of a user", "", "", asked("scope", graphAudience+"/User.Read"), 400, codeScopeNotDefault, "invalid_scope"},
		{"no scope", "", "", asked("scope", ""), 400, codeScopeNotDefault, "invalid_scope"},
		{"no grant", "", "", asked("grant_type", ""), 400, codeMalformed, "invalid_request"},
		{"unknown code", "", "", asked("grant_type", "authorization_code", "code", "x", "redirect_uri", directory.RedirectURI), 400, codeCodeUnknown, "invalid_grant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := healthy.with(t, c.fault)
			tenant := directory.TenantID
			if c.tenant != "" {
				tenant = c.tenant
			}
			answer := l.do("POST", l.url+"/"+tenant+tokenPath, c.form, "client-request-id", "my-id")
			var got problem
			answer.decode(t, &got)
			if answer.StatusCode != c.status || got.Error != c.kind || len(got.Codes) != 1 || got.Codes[0] != c.code {
				t.Errorf("%s: %s", answer.Status, answer.text)
			}
			if !strings.HasPrefix(got.Description, fmt.Sprintf("AADSTS%d: ", c.code)) || got.CorrelationID != "my-id" || got.TraceID == "" || got.Timestamp == "" {
				t.Errorf("not as Entra says it: %+v", got)
			}
			if strings.Contains(answer.text, secretValue) || strings.Contains(l.log.String(), secretValue) {
				t.Error("the secret is told")
			}
		})
	}
}

func TestUnknownTenantHasNoDiscovery(t *testing.T) {
	l := newLab(t)
	answer := l.do("GET", l.url+"/"+otherTenantID+"/v2.0/.well-known/openid-configuration", nil)
	var got problem
	answer.decode(t, &got)
	if answer.StatusCode != 400 || got.Error != "invalid_tenant" || got.Codes[0] != codeTenantUnknown {
		t.Errorf("%s: %s", answer.Status, answer.text)
	}
}

func TestClockAhead(t *testing.T) {
	l := newLab(t, FaultClockAhead)
	answer := l.do("POST", l.base+tokenPath, asked())
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil || time.Until(date) < clockAhead-time.Minute {
		t.Errorf("Date is %s, %v", answer.Header.Get("Date"), err)
	}
	var got tokens
	answer.decode(t, &got)
	if begins := time.Unix(int64(claimsOf(t, got.Access)["nbf"].(float64)), 0); time.Until(begins) < clockAhead-backdate-time.Minute {
		t.Errorf("valid from %s", begins)
	}
}

func TestKeysAreRotated(t *testing.T) {
	l := newLab(t)
	before := l.token(directory.ClientID + "/.default")
	l.plant(FaultKeysRotated)
	after := l.token(directory.ClientID + "/.default")
	for _, token := range []string{before, after} {
		if err := l.verified(token); err != nil {
			t.Error(err)
		}
	}
	first, err := headerOf(before)
	if err != nil {
		t.Fatal(err)
	}
	second, err := headerOf(after)
	if err != nil {
		t.Fatal(err)
	}
	if first["kid"] == second["kid"] {
		t.Error("both are signed with the same key")
	}
	if answer := l.graph("groups/" + directory.UsersID); answer.StatusCode != 200 {
		t.Errorf("Graph: %s", answer.text)
	}
}
