package network

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
)

// TestRedirects asks real servers.
func TestRedirects(t *testing.T) {
	const host = "hub.example"
	for name, c := range map[string]struct {
		location string
		status   int
		want     string
		words    []string
	}{
		"to https":          {"https://hub.example/", http.StatusMovedPermanently, "", nil},
		"to https, 443":     {"https://Hub.Example:443/", http.StatusPermanentRedirect, "", nil},
		"a page":            {"", http.StatusOK, "failed", []string{"200 without a redirection", "clear"}},
		"no page":           {"", http.StatusNotFound, "failed", []string{"404"}},
		"to http":           {"http://hub.example/login", http.StatusFound, "failed", []string{"stays in the clear"}},
		"to a path":         {"/login", http.StatusFound, "failed", []string{"stays in the clear"}},
		"to another name":   {"https://other.example/", http.StatusFound, "failed", []string{"another name"}},
		"to another port":   {"https://hub.example:8443/", http.StatusFound, "failed", []string{"port 443"}},
		"to no address":     {"https://%zz", http.StatusFound, "failed", []string{"no address"}},
		"created, no 3xx":   {"https://hub.example/", http.StatusCreated, "failed", nil},
		"302 without where": {"", http.StatusFound, "failed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Host != host {
					t.Errorf("asked for %s", r.Host)
				}
				if c.location != "" {
					w.Header().Set("Location", c.location)
				}
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			ip, port, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			expectFinding(t, redirects(askPlain(t.Context(), ip, port, host), host), c.want, c.words...)
		})
	}
}

func TestRedirectOfClosedPort(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	ip, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	expectFinding(t, redirects(askPlain(t.Context(), ip, port, "hub.example"), "hub.example"), "failed", "refused", "redirectHttp")
}

// TestRedirectOfSilentPort: a firewall before the runner says nothing of what users meet.
func TestRedirectOfSilentPort(t *testing.T) {
	for _, err := range []error{context.DeadlineExceeded, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, context.Canceled} {
		expectFinding(t, redirects(plainAnswer{err: err}, "hub.example"), "undecided", "http://hub.example/")
	}
}

func TestBracketed(t *testing.T) {
	for host, want := range map[string]string{"hub.example": "hub.example", "10.0.0.1": "10.0.0.1", "fd00::1": "[fd00::1]"} {
		if got := bracketed(host); got != want {
			t.Errorf("%s is %s", host, got)
		}
	}
}
