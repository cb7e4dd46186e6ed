package registry

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	realregistry "github.com/google/go-containerregistry/pkg/registry"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

func wrongCredentials() authn.Authenticator {
	return authn.FromConfig(authn.AuthConfig{Username: user, Password: "wrong"})
}

func repositoryAt(t *testing.T, host string) name.Repository {
	t.Helper()
	repository, err := name.NewRepository(host+"/ml-platform/"+throwawayRepository, name.StrictValidation)
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

func TestGreeting(t *testing.T) {
	answer := func(status int, header ...string) *door {
		return doorTo(t, func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		})
	}
	for _, c := range []struct {
		name   string
		door   *door
		public bool
		want   string // in the finding; empty for none
	}{
		{"basic", serve(t), false, ""},
		{"token", doorTo(t, token(http.NotFoundHandler())), false, ""},
		{"open, and meant to be", answer(200), true, ""},
		{"open", answer(200), false, "asks nobody for credentials"},
		{"no challenge", answer(401), false, "without a WWW-Authenticate header"},
		{"negotiate", answer(401, "WWW-Authenticate", "Negotiate"), false, "a challenge of another kind: Negotiate"},
		{"web page", answer(200, "Content-Type", "text/html; charset=utf-8"), true, "a web page"},
		{"login page", answer(302, "Location", "https://login.aiv.internal/"), false, "to https://login.aiv.internal/"},
		{"not a registry", answer(404), false, "registry.url: it has no path"},
		{"firewall", answer(403), false, "403"},
		{"broken", answer(503), false, "trouble of its own"},
		{"limited", answer(429), false, "limits requests"},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, err := c.door.knock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			err = greeting(response, c.public)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got\n%v", c.want, err)
			}
		})
	}
}

func TestConnections(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	trusted := serve(t)
	for _, c := range []struct {
		name, host string
		ca         bool
		want       []string
	}{
		{"refused", closed.Listener.Addr().String(), true, []string{"connection refused", "nothing listens"}},
		{"no TLS", plain.Listener.Addr().String(), true, []string{"plain HTTP", "HTTPS port"}},
		{"unknown authority", other.Listener.Addr().String(), false, []string{"x509:", "set registry.caFile"}},
		{"unknown name", "registry.invalid", false, []string{"no such host", "DNS"}},
		{"another name", strings.Replace(trusted.host(), "127.0.0.1", "localhost", 1), true, []string{"x509:", "made for another name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := *trusted
			if !c.ca {
				fresh, err := newDoor(answers.Registry{URL: c.host, Repository: "a"}, "", answers.Proxies{}, "test")
				if err != nil {
					t.Fatal(err)
				}
				d = *fresh
			}
			d.repository = repositoryAt(t, c.host)
			_, err := d.knock(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			f := explain(err, "it answers")
			for _, text := range c.want {
				if !strings.Contains(f.Error(), text) {
					t.Errorf("%q is missing in\n%v", text, f)
				}
			}
			if f.Undecided {
				t.Error("undecided")
			}
		})
	}
}

// A registry that speaks only plain HTTP never sees a credential.
func TestNothingInTheClear(t *testing.T) {
	asked := false
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer plain.Close()
	d := serve(t)
	d.repository = repositoryAt(t, plain.Listener.Addr().String())
	if _, err := d.login(t.Context(), credentials()); err == nil || asked {
		t.Errorf("asked=%v, %v", asked, err)
	}
}

func TestCredentials(t *testing.T) {
	quiet := realregistry.Logger(log.New(io.Discard, "", 0))
	open := realregistry.New(quiet)
	for _, c := range []struct {
		name              string
		door              *door
		accepted, strange string
		open              bool
	}{
		{"basic", serve(t), "", "", false},
		{"token", doorTo(t, token(realregistry.New(quiet))), "", "", false},
		{"open to all", doorTo(t, open.ServeHTTP), "", "it let a made-up user in", true},
		{"open for reading", serve(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v2/" || r.Method != http.MethodGet {
				return false
			}
			open.ServeHTTP(w, r)
			return true
		}), "", "", true},
		{"down", serve(t, on("GET", "/v2/", 503, "UNAVAILABLE", "down")), "see item 5.1.1", "see item 5.1.1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantText(t, "accepted", c.door.accepts(t.Context(), user, password), c.accepted)
			wantText(t, "strangers", c.door.refusesStrangers(t.Context(), false), c.strange)
			if got, err := c.door.opensToAnybody(t.Context()); got != c.open {
				t.Errorf("open: %v, %v", got, err)
			}
		})
	}
	for name, d := range map[string]*door{"basic": serve(t), "token": doorTo(t, token(open))} {
		err := d.accepts(t.Context(), user, "wrong")
		wantText(t, name, err, "user name or password is wrong")
		if f := finding.As(err); f == nil || f.Undecided {
			t.Errorf("%s: a wrong password is a failure: %v", name, err)
		}
	}
}

func wantText(t *testing.T, what string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: want %q, got\n%v", what, want, err)
	}
}

func TestRepositoryExists(t *testing.T) {
	upload := func(status int, code, message string) fault {
		return on("POST", "/blobs/uploads", status, code, message)
	}
	catalogue := func(names string) fault {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v2/_catalog" || r.URL.Query().Get("last") != "ml-platform/" {
				return false
			}
			_, _ = io.WriteString(w, `{"repositories":[`+names+`]}`)
			return true
		}
	}
	for _, c := range []struct {
		name      string
		door      *door
		readOnly  bool
		how, want string
		undecided bool
	}{
		{name: "writable", door: serve(t), how: "an upload below it was accepted"},
		{name: "unknown", door: serve(t, upload(404, "NAME_UNKNOWN", "unknown")), want: "the repository does not exist"},
		{name: "refused as missing", door: serve(t, upload(401, "UNAUTHORIZED", "project ml-platform not found")), want: "the repository does not exist"},
		{name: "refused, but listed", door: serve(t, upload(403, "DENIED", "no"), catalogue(`"ml-platform/notebook"`)), how: "the catalogue lists ml-platform/notebook"},
		{name: "refused, another is listed", door: serve(t, upload(403, "DENIED", "no"), catalogue(`"ml-platform2/x"`)), want: "see item 5.1.4", undecided: true},
		{name: "read-only", door: serve(t, catalogue(`"ml-platform/notebook"`)), readOnly: true, how: "the catalogue lists ml-platform/notebook"},
		{name: "read-only, unseen", door: serve(t, catalogue("")), readOnly: true, want: "--read-only", undecided: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := c.door.login(t.Context(), credentials())
			if err != nil {
				t.Fatal(err)
			}
			how, err := v.repositoryExists(t.Context(), "ml-platform", c.readOnly)
			wantText(t, "exists", err, c.want)
			if how != c.how {
				t.Errorf("how: %q", how)
			}
			if f := finding.As(err); f != nil && f.Undecided != c.undecided {
				t.Errorf("undecided: %v", f.Undecided)
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	for _, a := range []answers.Registry{{URL: "registry.aiv.internal", Repository: "ML-Platform"}, {URL: "a b", Repository: "x"}} {
		if _, err := newDoor(a, "", answers.Proxies{}, ""); finding.As(err) == nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
	if _, err := newDoor(answers.Registry{URL: "a.b", Repository: "x"}, "/nonexistent/ca.pem", answers.Proxies{}, ""); finding.As(err) == nil {
		t.Errorf("missing CA file: %v", err)
	}
}
