package identity

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

func TestLogin(t *testing.T) {
	elsewhereHost := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer elsewhereHost.Close()
	page := func(text string) func(*cloud) {
		return func(c *cloud) {
			c.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/authorize") {
					return false
				}
				w.Write([]byte(text))
				return true
			}
		}
	}
	claim := func(name string, value any) func(*cloud) {
		return func(c *cloud) {
			c.claims = func(all map[string]any) {
				if all["nonce"] != nil {
					all[name] = value
				}
			}
		}
	}
	for name, test := range map[string]struct {
		change   func(*cloud)
		password string
		// is is what kind of error it is, and want what it says; both are nothing for a login.
		is   error
		want string
		how  string
	}{
		"right":          {how: "lists 2"},
		"wrong password": {password: "wrong", want: "AADSTS50126"},
		"too many groups": {change: func(c *cloud) {
			c.claims = func(all map[string]any) {
				if all["nonce"] != nil {
					delete(all, "groups")
					all["_claim_names"] = map[string]string{"groups": "src1"}
					all["_claim_sources"] = map[string]any{"src1": map[string]string{"endpoint": "https://graph.windows.net/x"}}
				}
			}
		}, how: "Microsoft Graph lists 2"},
		"page that is a program": {change: page("<html><script>draw()</script></html>"), is: errBrowser, want: "a program"},
		"form at another host":   {change: page(strings.Replace(loginPage, `"login"`, `"`+elsewhereHost.URL+`/"`, 1)), is: errBrowser, want: "it goes on at"},
		"form that is asked again": {change: func(c *cloud) {
			c.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/login") {
					return false
				}
				w.Write([]byte(loginPage))
				return true
			}
		}, is: errBrowser, want: "asks again"},
		"redirect URI unknown": {change: func(c *cloud) { c.redirects = nil }, is: errElsewhere, want: "(4.1.6)"},
		"issuer":               {change: claim("iss", "https://login.invalid"), is: errElsewhere, want: "(4.1.4)"},
		"nonce":                {change: claim("nonce", "old"), want: "an old token"},
		"code refused": {change: func(c *cloud) {
			c.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/token") {
					c.begun.Set("code_challenge", "another")
				}
				return false
			}
		}, want: "AADSTS501481"},
	} {
		t.Run(name, func(t *testing.T) {
			c, d, _ := newCloud(t)
			if test.change != nil {
				test.change(c)
			}
			if test.password == "" {
				test.password = testPassword
			}
			got, err := d.logIn(t.Context(), redirectURI, testUser, test.password)
			if (err == nil) != (test.want == "") || !strings.Contains(textOf(err), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Fatalf("want %q, got %v", test.want, err)
			}
			if strings.Contains(textOf(err), test.password) || strings.Contains(textOf(err), rightSecret) {
				t.Errorf("a secret is in %v", err)
			}
			if err != nil {
				return
			}
			if _, how, err := d.groupsOf(t.Context(), got); err != nil || !strings.Contains(how, test.how) {
				t.Errorf("%q, %v", how, err)
			}
		})
	}
}

func TestJudgeGroups(t *testing.T) {
	for _, test := range []struct {
		ids, wanted []string
		want        string
	}{
		{[]string{"A", "b"}, []string{"a"}, ""},
		{[]string{"a"}, nil, ""},
		{nil, []string{"a"}, "it carries none"},
		{[]string{"a"}, []string{"a", "c"}, "missing is c"},
	} {
		err := judgeGroups(testUser, test.ids, test.wanted, "it lists some")
		if (err == nil) != (test.want == "") || !strings.Contains(textOf(err), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// Only a user with a password is logged in, and looked for in the answered groups.
func TestCandidate(t *testing.T) {
	g := groupAnswers()
	users := answers.TestUsers{Users: []answers.TestUser{{Name: "first"}, {Name: testUser, Groups: []answers.UserGroup{answers.InUsers, answers.InGPUUsers}, Password: answers.Secret{Env: "CONFORMANCE_TEST_PASSWORD"}}}}
	user, wanted, found := candidate(users, g)
	if !found || user.Name != testUser || strings.Join(wanted, " ") != usersID+" "+gpuID {
		t.Errorf("%v, %v, %v", user, wanted, found)
	}
	if _, _, found := candidate(answers.TestUsers{Users: users.Users[:1]}, g); found {
		t.Error("a user without a password was chosen")
	}
	t.Setenv("CONFORMANCE_TEST_PASSWORD", testPassword)
	c, d, _ := newCloud(t)
	err := proveLogin(t.Context(), d, redirectURI, users, g)
	if f := finding.As(err); f == nil || f.Undecided || !strings.Contains(f.Found, gpuID) {
		t.Errorf("the user is in no such group: %v", err)
	}
	users.Users[1].Groups = users.Users[1].Groups[:1]
	if err := proveLogin(t.Context(), d, redirectURI, users, g); err != nil {
		t.Error(err)
	}
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/login") {
			return false
		}
		w.Write([]byte("AADSTS65001: The user or administrator has not consented."))
		return true
	}
	if err := proveLogin(t.Context(), d, redirectURI, users, g); finding.As(err) == nil || !strings.Contains(err.Error(), "admin consent") {
		t.Errorf("nobody consented: %v", err)
	}
	c.requested, d.registered = nil, once[*application]{}
	if err := proveLogin(t.Context(), d, redirectURI, users, g); err != nil {
		t.Errorf("this is for 4.1.7 to say: %v", err)
	}
	c.redirects = nil
	if err := proveLogin(t.Context(), d, redirectURI, users, g); err != nil {
		t.Errorf("this is for 4.1.6 to say: %v", err)
	}
}
