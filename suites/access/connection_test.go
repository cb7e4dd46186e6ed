package access

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestServerWithoutTLS(t *testing.T) {
	for host, want := range map[string]string{
		"https://10.64.0.1:6443": "",
		"http://10.64.0.1:8080":  "names http://10.64.0.1:8080",
		"10.64.0.1:8080":         "names http://10.64.0.1:8080", // as client-go takes it
		"https://a b":            "no web address",
	} {
		f := judgeScheme(&rest.Config{Host: host})
		if want == "" && f != nil || want != "" && (f == nil || f.Undecided || !strings.Contains(f.Error(), want)) {
			t.Errorf("%s: %v, want %q", host, f, want)
		}
	}
	trusted := &rest.Config{Host: "10.64.0.1:6443", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("x")}}
	if f := judgeScheme(trusted); f != nil {
		t.Error(f)
	}
}

func TestReadiness(t *testing.T) {
	const forbidden = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,` +
		`"message":"forbidden: User \"x\" cannot get path \"/readyz\""}`
	for name, c := range map[string]struct {
		status    int
		body      string
		want      string
		undecided bool
	}{
		"ready":      {http.StatusOK, "ok", "", false},
		"not ready":  {http.StatusInternalServerError, "[-]etcd failed: reason withheld", "etcd failed", false},
		"no server":  {http.StatusServiceUnavailable, "", "control plane is not ready", false},
		"forbidden":  {http.StatusForbidden, forbidden, "get /readyz", true},
		"logged out": {http.StatusUnauthorized, "", "", true},
		"no such":    {http.StatusNotFound, "404 page not found", "readyz", true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(c.body, "{") {
					w.Header().Set("Content-Type", "application/json")
				} else {
					w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				}
				w.WriteHeader(c.status)
				w.Write([]byte(c.body))
			}))
			defer server.Close()
			client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			f := judgeReady(askReady(t.Context(), client))
			if c.status == http.StatusOK {
				if f != nil {
					t.Error(f)
				}
				return
			}
			if f == nil || f.Undecided != c.undecided || !strings.Contains(f.Error(), c.want) {
				t.Errorf("got %+v", f)
			}
		})
	}
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if f := judgeReady(askReady(t.Context(), client)); f == nil || !f.Undecided {
		t.Errorf("unreachable: %+v", f)
	}
}
