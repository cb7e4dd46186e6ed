package registry

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"aiv.internal/conformance/framework/answers"
)

// The answered proxy is asked, and not that of the environment.
func TestAnsweredProxyIsUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	d, err := newDoor(answers.Registry{URL: "registry.example.com", Repository: "ml-platform"}, "", answers.Proxies{HTTPS: proxy.URL}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.knock(t.Context()); err == nil || asked != "CONNECT registry.example.com:443" {
		t.Errorf("the proxy was asked for %q: %v", asked, err)
	}
}
