package custom

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/probe"
)

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	return listener.Addr().String()
}

func certificateOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func TestBroken(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	address := secure.Listener.Addr().String()
	trusted := probe.ConnectOptions{CAs: certificateOf(secure)}
	ctx := t.Context()
	for _, c := range []struct {
		name   string
		result probe.Connection
		want   []string
	}{
		{"refused", probe.TCP(ctx, closedPort(t), trusted), []string{"TCP broke: connection refused", "nothing listens"}},
		{"no such host", probe.TCP(ctx, "nothing.invalid:80", trusted), []string{"DNS broke: no such host", "DNS that the runner use"}},
		{"another CA", probe.TLS(ctx, address, probe.ConnectOptions{}), []string{"TLS broke: bad certificate", "(after TCP", "issued by O=Acme Co"}},
		{"no TLS", probe.TLS(ctx, plain.Listener.Addr().String(), trusted), []string{"TLS broke: no TLS", "correct the port"}},
		{"status", probe.HTTP(ctx, secure.URL, probe.ConnectOptions{CAs: trusted.CAs, Status: 200}), []string{"HTTP broke: unexpected status", "404", "TLS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.result.OK() {
				t.Fatal("it succeeded")
			}
			f := broken(c.result, "it answers", answers.FromRunner)
			for _, text := range c.want {
				if !strings.Contains(f.Error(), text) {
					t.Errorf("%q is missing in\n%v", text, f)
				}
			}
		})
	}
}

// A server of a public CA is trusted although the company's CA did not sign it, unless the
// check names a CA of its own.
func TestTrusting(t *testing.T) {
	var asked []bool
	connect := func(_ context.Context, o probe.ConnectOptions) probe.Connection {
		asked = append(asked, len(o.CAs) > 0)
		if len(o.CAs) > 0 {
			return probe.Connection{Broke: probe.StepTLS, Trouble: &probe.Trouble{Kind: probe.BadCert}}
		}
		return probe.Connection{}
	}
	company := probe.ConnectOptions{CAs: []byte("x")}
	if !trusting(t.Context(), company, false, connect).OK() || len(asked) != 2 {
		t.Errorf("company's CA: asked %v", asked)
	}
	asked = nil
	if trusting(t.Context(), company, true, connect).OK() || len(asked) != 1 {
		t.Errorf("own CA: asked %v", asked)
	}
}

func TestProxyFor(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://from-environment:1")
	t.Setenv("NO_PROXY", "")
	answered := answers.Proxies{HTTPS: "http://proxy.aiv.internal:3128", No: []string{".aiv.internal", "10.0.0.0/8"}}
	for _, c := range []struct {
		address string
		proxies answers.Proxies
		from    answers.Origin
		want    string
	}{
		{"https://example.com/x", answered, answers.FromPod, "http://proxy.aiv.internal:3128"},
		{"https://example.com/x", answered, answers.FromRunner, "http://proxy.aiv.internal:3128"},
		{"https://intranet.aiv.internal/", answered, answers.FromPod, ""},
		{"https://10.1.2.3/", answered, answers.FromPod, ""},
		{"http://example.com/", answered, answers.FromPod, ""},
		{"https://example.com/", answers.Proxies{}, answers.FromPod, ""},
		{"https://example.com/", answers.Proxies{}, answers.FromRunner, "http://from-environment:1"},
	} {
		if got := proxyFor(c.address, c.proxies, c.from); got != c.want {
			t.Errorf("%s from %s: %q", c.address, c.from, got)
		}
	}
}

func TestJudgeRefused(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	ctx, address := t.Context(), server.Listener.Addr().String()
	for _, c := range []struct {
		name      string
		result    probe.Connection
		want      string
		undecided bool
	}{
		{"refused", probe.TCP(ctx, closedPort(t), probe.ConnectOptions{}), "", false},
		{"dropped", probe.Connection{Broke: probe.StepTCP, Trouble: &probe.Trouble{Kind: probe.Timeout}}, "", false},
		{"reached", probe.TCP(ctx, address, probe.ConnectOptions{}), "it was reached: TCP", false},
		{"reached, though not trusted", probe.TLS(ctx, address, probe.ConnectOptions{}), "it was reached", false},
		{"misspelt", probe.TCP(ctx, "nothing.invalid:80", probe.ConnectOptions{}), "does not resolve", true},
		{"stopped", probe.Connection{Broke: probe.StepTCP, Trouble: &probe.Trouble{Kind: probe.Stopped}}, "stopped", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFinding(t, judgeRefused(c.result, "it cannot be reached", answers.FromPod), c.want, c.undecided)
		})
	}
}

func TestJudgeName(t *testing.T) {
	found := probe.Resolution{Addresses: []string{"10.0.0.1"}}
	missing := probe.Resolution{Trouble: &probe.Trouble{Kind: probe.NoSuchHost}}
	silent := probe.Resolution{Trouble: &probe.Trouble{Kind: probe.Timeout}}
	refuse := answers.TargetCheck{ExpectRefused: true}
	for _, c := range []struct {
		name      string
		result    probe.Resolution
		check     answers.TargetCheck
		want      string
		undecided bool
	}{
		{"found", found, answers.TargetCheck{}, "", false},
		{"missing", missing, answers.TargetCheck{}, "does not know the name", false},
		{"silent", silent, answers.TargetCheck{}, "timeout", false},
		{"found, must not be", found, refuse, "it resolves to 10.0.0.1", false},
		{"missing, as it must be", missing, refuse, "", false},
		{"silent, must not be found", silent, refuse, "says nothing about the name", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFinding(t, judgeName(c.result, "expected", c.check), c.want, c.undecided)
		})
	}
}

func TestJudgeBody(t *testing.T) {
	for _, c := range []struct {
		name, pattern, expect, body, want string
	}{
		{"nothing asked", "", "", "anything", ""},
		{"pattern", `"status":\s*"ok"`, "", `{"status": "ok"}`, ""},
		{"pattern unmet", "ok", "", "no", "none of its 2 bytes do"},
		{"expression", "", "body.status == 'ok'", `{"status": "ok"}`, ""},
		{"expression unmet", "", "body.nodes >= 3", `{"nodes": 2, "token": "secret"}`, "it is not so: body.nodes = 2"},
		{"numbers", "", "body.a == 1 && body.b < 2", `{"a": 1, "b": 1.5}`, ""},
		{"no JSON", "", "body.status == 'ok'", "<html>", "no JSON"},
		{"missing field", "", "body.status == 'ok'", "{}", "no such key: status"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := answers.HTTPCheck{URL: "https://x", ExpectBody: c.pattern, Expect: c.expect}
			rule, err := compileBody(h)
			if err != nil {
				t.Fatal(err)
			}
			err = judgeBody(t.Context(), h, rule, []byte(c.body))
			wantFinding(t, err, c.want, false)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("more than was asked for is quoted")
			}
		})
	}
}

// What a pod is told must not hold a credential: its arguments show in the cluster.
func TestProbeArgs(t *testing.T) {
	secret := http.Header{"Authorization": {"Bearer secret"}}
	pod := probeArgs("http", "https://x", probe.ConnectOptions{CAs: []byte("PEM"), Status: 204, ServerName: "y", Proxy: "http://p:1", Header: secret, Timeout: connectTimeout})
	want := "http https://x --server-name=y --proxy=http://p:1 --status=204 --timeout=15s"
	if got := strings.Join(pod.Args, " "); got != want {
		t.Errorf("%q", got)
	}
	if len(pod.Env) != 1 || pod.Env[0].Name != probe.CAVariable || pod.Env[0].Value != "PEM" {
		t.Errorf("%+v", pod.Env)
	}
}
