package registry

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	realregistry "github.com/google/go-containerregistry/pkg/registry"

	"aiv.internal/conformance/framework/answers"
)

const (
	user     = "jupyterhub"
	password = "s3cret-of-the-test"
)

// fault answers a request itself and returns true, or leaves it to the registry.
type fault func(w http.ResponseWriter, r *http.Request) bool

// serve starts a registry with TLS and basic authentication and returns the way to it.
func serve(t *testing.T, faults ...fault) *door {
	t.Helper()
	real := realregistry.New(realregistry.Logger(log.New(io.Discard, "", 0)))
	return doorTo(t, func(w http.ResponseWriter, r *http.Request) {
		for _, f := range faults {
			if f(w, r) {
				return
			}
		}
		if name, word, _ := r.BasicAuth(); name != user || word != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		real.ServeHTTP(w, r)
	})
}

func doorTo(t *testing.T, handler http.HandlerFunc) *door {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := newDoor(answers.Registry{URL: strings.TrimPrefix(server.URL, "https://"), Repository: "ml-platform"}, ca, answers.Proxies{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// on returns a fault for requests of a method whose path holds a text.
func on(method, text string, status int, code, message string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, text) {
			return false
		}
		refuse(w, status, code, message)
		return true
	}
}

func credentials() authn.Authenticator {
	return authn.FromConfig(authn.AuthConfig{Username: user, Password: password})
}

// token makes a registry that wants bearer tokens from its own /token, which lets the user
// and, for reading nothing, anybody have one.
func token(real http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, word, given := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && given && (name != user || word != password):
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
		case r.URL.Path == "/token" && given:
			_, _ = io.WriteString(w, `{"token":"full"}`)
		case r.URL.Path == "/token":
			_, _ = io.WriteString(w, `{"token":"nobody"}`)
		case r.Header.Get("Authorization") == "Bearer full":
			real.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token",service="test"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		}
	}
}
