package answers

import (
	"net/http"
	"testing"
)

func TestProxies(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://plain.from-environment:1")
	t.Setenv("HTTPS_PROXY", "http://from-environment:1")
	t.Setenv("NO_PROXY", "ours.example.com")
	t.Setenv("REQUEST_METHOD", "")
	answered := Proxies{HTTPS: "http://proxy.aiv.internal:3128", No: []string{".aiv.internal", "10.0.0.0/8"}}
	for _, c := range []struct {
		address     string
		proxies     Proxies
		runner, pod string
	}{
		{"https://example.com/x", answered, "http://proxy.aiv.internal:3128", "http://proxy.aiv.internal:3128"},
		{"https://intranet.aiv.internal/", answered, "", ""},
		{"https://10.1.2.3/", answered, "", ""},
		{"https://ours.example.com/", answered, "http://proxy.aiv.internal:3128", "http://proxy.aiv.internal:3128"},
		{"http://example.com/", answered, "http://plain.from-environment:1", ""},
		{"https://example.com/", Proxies{}, "http://from-environment:1", ""},
		{"https://ours.example.com/", Proxies{}, "", ""},
		{"https://ours.example.com/", Proxies{HTTPS: "http://p:1"}, "", "http://p:1"},
	} {
		request, err := http.NewRequest(http.MethodGet, c.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		if proxy, err := c.proxies.ForRequest(request); err != nil {
			t.Error(err)
		} else if proxy != nil {
			text = proxy.String()
		}
		if text != c.runner {
			t.Errorf("the runner reaches %s through %q, want %q", c.address, text, c.runner)
		}
		text = ""
		if proxy, err := c.proxies.ForPod(request.URL); err != nil {
			t.Error(err)
		} else if proxy != nil {
			text = proxy.String()
		}
		if text != c.pod {
			t.Errorf("a pod reaches %s through %q, want %q", c.address, text, c.pod)
		}
	}
}
