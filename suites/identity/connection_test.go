package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// What keeps the runner from Entra ID is for 4.1.3 to say, and fails nothing.
func TestConnections(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	_, _, trusted := newCloud(t)
	for name, c := range map[string]struct {
		url, ca string
		want    string
	}{
		"refused":           {"https://" + closed.Listener.Addr().String(), "", "nothing listens there"},
		"no TLS":            {"https://" + plain.Listener.Addr().String(), "", "plain HTTP"},
		"unknown authority": {other.URL, "", "set entra.caFile"},
		"unknown name":      {"https://login.invalid", "", "correct entra.loginUrl, or the DNS"},
		"another name":      {strings.Replace(trusted.LoginURL, "127.0.0.1", "localhost", 1), trusted.CAFile, "made for another name"},
	} {
		t.Run(name, func(t *testing.T) {
			a := trusted
			a.LoginURL, a.GraphURL, a.CAFile = c.url, c.url, c.ca
			d := directoryOf(t, a)
			for _, item := range items {
				err := item.prove(t.Context(), d, a)
				expect(t, item.id, err, outcome{undecided: append([]string{"4.1.3"}, needsTenant...)})
				if item.id == "4.1.3" && !strings.Contains(textOf(err), c.want) {
					t.Errorf("want %q, got\n%v", c.want, err)
				}
			}
		})
	}
}

// Where only Microsoft Graph is out of reach, nothing fails.
func TestGraphOutOfReach(t *testing.T) {
	_, _, a := newCloud(t)
	a.GraphURL = "https://graph.invalid"
	d := directoryOf(t, a)
	for _, item := range []int{4, 6, 9, 12} {
		// The tenant makes tokens for whatever is asked.
		err := items[item].prove(t.Context(), d, a)
		expect(t, items[item].id, err, outcome{undecided: []string{items[item].id}})
		if !strings.Contains(textOf(err), "entra.graphUrl") {
			t.Errorf("%s does not name the answer to correct\n%v", items[item].id, err)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	for _, a := range []answers.Entra{{LoginURL: "http://login.aiv.internal"}, {GraphURL: "graph.aiv.internal"}, {CAFile: "/nonexistent/ca.pem"}} {
		if _, err := newDirectory(a, a.CAFile, answers.Proxies{}, nil); finding.As(err) == nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
	d, err := newDirectory(answers.Entra{TenantID: tenantID}, "", answers.Proxies{}, nil)
	if err != nil || d.of("v2.0") != "https://login.microsoftonline.com/"+tenantID+"/v2.0" || d.graphScope() != "https://graph.microsoft.com/.default" {
		t.Errorf("%v, %v", d, err)
	}
}

// The answered proxy is asked, and not that of the environment.
func TestAnsweredProxyIsUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	a := answers.Entra{TenantID: tenantID, ClientID: clientID}
	d, err := newDirectory(a, "", answers.Proxies{HTTPS: proxy.URL}, func() string { return "test" })
	if err != nil {
		t.Fatal(err)
	}
	if err := proveTenant(t.Context(), d, a); err == nil || asked != "CONNECT login.microsoftonline.com:443" {
		t.Errorf("the proxy was asked for %q: %v", asked, err)
	}
}

// Every request is asked again after a wait, the token's too, and in vain only for so long.
func TestThrottling(t *testing.T) {
	c, d, a := newCloud(t)
	refused := map[string]bool{}
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if refused[r.URL.Path] {
			return false
		}
		refused[r.URL.Path] = true
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	for _, item := range items {
		if err := item.prove(t.Context(), d, a); err != nil {
			t.Errorf("%s: %v", item.id, err)
		}
	}
	c, d, a = newCloud(t)
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v1.0/groups") {
			return false
		}
		w.Header().Set("Retry-After", "3600")
		refuseGraph(w, http.StatusTooManyRequests, "TooManyRequests", "slow down")
		return true
	}
	started := time.Now()
	expect(t, "4.2.1.2", items[10].prove(t.Context(), d, a), outcome{undecided: []string{"4.2.1.2"}})
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestWaitAsked(t *testing.T) {
	for _, test := range []struct {
		status int
		header string
		wait   time.Duration
		asked  bool
	}{
		{200, "5", 0, false}, {500, "5", 0, false}, {429, "5", 5 * time.Second, true}, {429, "", 2 * time.Second, true},
		{503, "7", 7 * time.Second, true}, {503, "", 2 * time.Second, false}, {429, "Mon, 01 Jan 2001 00:00:00 GMT", minWait, true},
	} {
		wait, asked := waitAsked(&http.Response{StatusCode: test.status, Header: http.Header{"Retry-After": {test.header}}}, 1)
		if asked != test.asked || asked && wait != test.wait {
			t.Errorf("%+v: %s, %v", test, wait, asked)
		}
	}
}

// An interruption ends a wait, decides nothing and is not kept.
func TestInterruption(t *testing.T) {
	c, d, a := newCloud(t)
	c.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	err := proveTenant(ctx, d, a)
	if f := finding.As(err); f == nil || !f.Undecided || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	c.answer = nil
	if err := proveTenant(t.Context(), d, a); err != nil {
		t.Errorf("the interruption was kept: %v", err)
	}
}

// A page of a list cannot send the token elsewhere.
func TestTokenStaysWithGraph(t *testing.T) {
	thief := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer thief.Close()
	c, d, a := newCloud(t)
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/members") {
			return false
		}
		write(w, 200, map[string]any{"value": []any{}, "@odata.nextLink": thief.URL + "/v1.0/groups"})
		return true
	}
	expect(t, "4.2.1.2", items[10].prove(t.Context(), d, a), outcome{undecided: []string{"4.2.1.2"}})
}

// A tenant that makes no token for the application itself proves the secret with one for
// Microsoft Graph, whose signature nobody else can verify.
func TestTokenForGraphOnly(t *testing.T) {
	c, d, a := newCloud(t)
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/token") || r.FormValue("scope") != clientID+"/.default" {
			return false
		}
		refuseLogin(w, 400, "invalid_request", "AADSTS90009: Application is requesting a token for itself.")
		return true
	}
	if err := proveSecret(t.Context(), d, a); err != nil {
		t.Error(err)
	}
	if how, err := d.recognise(t.Context(), ""); err != nil || !strings.Contains(how, "AADSTS90009") {
		t.Errorf("%q, %v", how, err)
	}
}

func TestIssuers(t *testing.T) {
	at := func(login string) *directory {
		d, err := newDirectory(answers.Entra{LoginURL: login, TenantID: strings.ToUpper(tenantID)}, "", answers.Proxies{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct {
		login, issuer    string
		discovery, token bool
	}{
		{"", "https://login.microsoftonline.com/" + tenantID + "/v2.0", true, true},
		{"https://login.windows.net/", "https://login.microsoftonline.com/" + tenantID + "/v2.0", true, true},
		{"", "https://sts.windows.net/" + tenantID + "/", false, true},
		{"https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn/" + tenantID + "/", false, true},
		{"", "https://login.microsoftonline.com/" + clientID + "/v2.0", false, false},
		{"", "http://login.microsoftonline.com/" + tenantID + "/v2.0", false, false},
		{"", "", false, false},
		{"https://login.aiv.internal:8443", "https://login.aiv.internal:8443/" + tenantID + "/v2.0", true, true},
		{"https://login.aiv.internal:8443", "https://login.aiv.internal/" + tenantID + "/v2.0", false, false},
		{"https://login.aiv.internal:8443", "https://sts.windows.net/" + tenantID + "/", false, false},
	} {
		d := at(test.login)
		if d.isIssuer(test.issuer) != test.discovery || d.isTokenIssuer(test.issuer) != test.token {
			t.Errorf("%+v", test)
		}
	}
}

func TestRedirectURIs(t *testing.T) {
	for uri, want := range map[string]string{
		redirectURI: "",
		"http://jupyterhub.aiv.internal/hub/oauth_callback":      "unencrypted",
		"https://jupyterhub.aiv.internal/hub/oauth_callback/":    "listens at",
		"https://jupyterhub.aiv.internal/hub/oauth_callback?a=b": "listens at",
		"https://other.aiv.internal/hub/oauth_callback":          "dns.domain",
		"https://jupyterhub.aiv.internal/hub/oauth_callback\x7f": "no address",
	} {
		err := judgeRedirectURI(uri, "jupyterhub.aiv.internal")
		if (err == nil) != (want == "") || !strings.Contains(textOf(err), want) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	app := &application{Web: platform{[]string{redirectURI + "/"}}, SPA: platform{[]string{redirectURI}}}
	with := func(other string) platform { return platform{[]string{redirectURI, other}} }
	for want, app := range map[string]*application{"platform Single-page": app, "letter by letter": {Web: app.Web}, "none is registered": {},
		"*.web":    {Web: with("https://*.web/hub/oauth_callback")},
		"*.spa":    {Web: with("https://a"), SPA: with("https://*.spa")},
		"//phone*": {Web: with("https://a"), PublicClient: with("https://phone*")}} {
		if err := judgeRegistered(app, redirectURI); !strings.Contains(textOf(err), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestAuthorizations(t *testing.T) {
	_, d, _ := newCloud(t)
	ask := func(respond http.HandlerFunc) authorization {
		t.Helper()
		c, fresh, _ := newCloud(t)
		c.answer = func(w http.ResponseWriter, r *http.Request) bool { respond(w, r); return true }
		d = fresh
		answer, err := d.authorize(t.Context(), redirectURI)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}
	}
	page := ask(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>Sign in</html>")) })
	for name, test := range map[string]struct {
		answer            authorization
		accepted, refused string
		listed            bool
	}{
		"login page":             {page, "", "asks for a login first", false},
		"login page, and listed": {page, "", "", true},
		"in the fragment":        {ask(to(redirectURI + "#error=interaction_required")), "", "the user is sent there", false},
		"code":                   {ask(to(redirectURI + "?code=1")), "", "the user is sent there", false},
		"another error":          {ask(to(redirectURI + "?error=unauthorized_client&error_description=AADSTS700054%3A+response_type")), "see item 4.1.1", "the user is sent there", false},
		"no redirect URIs at all": {ask(func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("AADSTS500113: No reply address is registered."))
		}), "no redirect URI at all", "", false},
		"transient trouble": {ask(func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("AADSTS90033: A transient error has occurred."))
		}), "run it again", "run it again", true},
		"refused for something else": {ask(func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("AADSTS90015: Requested query string is too long."))
		}), "AADSTS90015", "AADSTS90015", true},
		"company's portal": {ask(to("https://portal.aiv.internal/login")), "sent to", "asks for a login first", false},
		"unavailable":      {ask(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "see item 4.1.3", "see item 4.1.3", false},
	} {
		t.Run(name, func(t *testing.T) {
			if f := finding.As(judgeAccepted(test.answer, redirectURI)); f != nil && f.Undecided == (name == "no redirect URIs at all") {
				t.Errorf("undecided %t: %v", f.Undecided, f)
			}
			if err := judgeAccepted(test.answer, redirectURI); (err == nil) != (test.accepted == "") || !strings.Contains(textOf(err), test.accepted) {
				t.Errorf("accepted: want %q, got %v", test.accepted, err)
			}
			_, err := judgeRefused(test.answer, redirectURI, test.listed)
			if f := finding.As(err); f != nil && f.Undecided == strings.Contains(f.Found, "sent there") {
				t.Errorf("refused: undecided is %v of %v", f.Undecided, err)
			}
			if (err == nil) != (test.refused == "") || !strings.Contains(textOf(err), test.refused) {
				t.Errorf("refused: want %q, got %v", test.refused, err)
			}
		})
	}
}

// The answer itself decides where the directory cannot be read and the day is near.
func TestAnsweredDateIsNear(t *testing.T) {
	c, d, a := newCloud(t)
	c.roles = nil
	a.SecretExpires = dateIn(10 * day)
	expect(t, "4.1.5", proveSecretDate(t.Context(), d, a), outcome{failed: map[string]string{"4.1.5": "by the answers file"}})
}

func TestLoginRefusals(t *testing.T) {
	long := "AADSTS7000215: Invalid client secret provided. Ensure that it is the value. Trace ID: 255d1aef-8c98-452f-ac51-23d051240864 Correlation ID: x"
	for name, test := range map[string]struct {
		body       string
		code       int
		text, part string
	}{
		"JSON": {`{"error":"invalid_client","error_description":"` + long + `","error_codes":[7000215]}`, 7000215, "AADSTS7000215: Invalid client secret provided", "(trace ID 255d1aef-8c98-452f-ac51-23d051240864)"},
		"page": {`<script>$Config={"strServiceExceptionMessage":"AADSTS50011: The redirect URI \u0027x\u0027"}</script>`, 50011, "AADSTS50011: The redirect URI", "401 AADSTS50011"},
		"code": {`{"error":"invalid_client","error_codes":[700016]}`, 700016, "invalid_client", "invalid_client"},
		"none": {`<html>no</html>`, 0, "", "no AADSTS code"},
	} {
		e := loginRefusal("POST x", 401, []byte(test.body))
		if e.code != test.code || e.text != test.text || !strings.Contains(e.Error(), test.part) {
			t.Errorf("%s: %+v, %s", name, e, e)
		}
	}
}

// Every code that decides something is explained.
func TestRemedies(t *testing.T) {
	for _, code := range slices.Concat(provesApplication, deniesApplication) {
		if code == codeTokenForItself || code == codeNoSession {
			continue
		}
		if known, found := remedies[code]; !found || known.why == "" || known.do == "" {
			t.Errorf("AADSTS%d is not explained", code)
		}
	}
	f := (&loginError{request: "POST x", status: 400, code: 9999999}).finding("a token")
	if !strings.Contains(f.Do, "code=9999999") || f.Undecided {
		t.Errorf("%v", f)
	}
}

func TestObjectIDsDiffer(t *testing.T) {
	g := groupAnswers()
	g.Other = []answers.EntraGroup{{Name: "x", ObjectID: adminsID}}
	if err := judgeDistinct(answeredGroups(g)); !strings.Contains(textOf(err), "groups.admins and groups.other[0]") {
		t.Error(err)
	}
	open := false
	g.GPURestricted = &open
	if all := answeredGroups(g); len(all) != 3 {
		t.Errorf("%v", all)
	}
}

// A key that is newer than the keys that were loaded is looked for once more; one that the
// tenant never had is not believed.
func TestKeysRotate(t *testing.T) {
	c, d, a := newCloud(t)
	if err := proveSecret(t.Context(), d, a); err != nil {
		t.Fatal(err)
	}
	c.keyID, d.own = "two", once[*token]{}
	if err := proveSecret(t.Context(), d, a); err != nil {
		t.Error(err)
	}
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c.key, d.own = foreign, once[*token]{}
	expect(t, "4.1.4", proveSecret(t.Context(), d, a), outcome{failed: map[string]string{"4.1.4": "its signature does not verify"}})
}
