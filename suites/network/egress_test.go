package network

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

func TestDestinations(t *testing.T) {
	a := &answers.File{}
	a.Runner.Proxies = answers.Proxies{HTTPS: "http://proxy:3128", No: []string{".aiv.internal"}}
	a.NetworkPolicies.Egress = answers.Egress{Allowed: []string{"https://pypi.org/", "https://git.aiv.internal"}, Forbidden: []string{"https://example.com", "10.1.2.3:443"}}
	a.NetworkPolicies.Firewall = answers.Firewall{Identity: []string{"https://login.microsoftonline.com/"}, Storage: []string{"mon1.aiv.internal:6789"}}
	a.GitLab.URL, a.Registry.URL = "https://git.aiv.internal", "registry.aiv.internal:5000"
	for item, want := range map[string][]string{
		"2.3.2": {"https://pypi.org through http://proxy:3128", "https://git.aiv.internal",
			"https://example.com forbidden", "https://example.com through http://proxy:3128 forbidden", "10.1.2.3:443 forbidden"},
		"2.3.4.2": {"https://login.microsoftonline.com through http://proxy:3128", "https://graph.microsoft.com through http://proxy:3128"},
		"2.3.4.3": {"mon1.aiv.internal:6789"},
		"2.3.4.4": {"https://git.aiv.internal"},
		"2.3.4.5": {"https://registry.aiv.internal:5000/v2/"},
	} {
		var got []string
		for _, d := range destinations(item, a) {
			text := wayName(d)
			if d.Forbidden {
				text += " forbidden"
			}
			got = append(got, text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", item, got)
		}
	}
	if none := destinations("2.3.4.4", &answers.File{}); none != nil {
		t.Errorf("%v", none)
	}
}

func TestWayText(t *testing.T) {
	for want, w := range map[string]probe.Way{
		"DNS 1.5 ms, TCP 0.2 ms, TLS 8 ms, HTTP 3 ms, status 200, at 10.0.0.1:443": {MS: []float64{1.5, 0.2, -1, 8, 3}, Status: 200, Peer: "10.0.0.1:443"},
		"DNS 1 ms, TCP: timeout after 10000 ms":                                    {MS: []float64{1, 10000, -1, -1, -1}, Broke: probe.StepTCP, Kind: probe.Timeout},
		"TCP: timeout":                                                             {Broke: probe.StepTCP, Kind: probe.Timeout},
		"reached":                                                                  {},
	} {
		if got := wayText(w); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func broken(step, kind string) probe.Way { return probe.Way{Broke: step, Kind: kind} }

func TestJudgeBroken(t *testing.T) {
	straight := probe.Destination{Target: "https://gitlab.aiv.internal:8929"}
	proxied := probe.Destination{Target: "https://pypi.org", Proxy: "http://proxy:3128"}
	reached := probe.Way{Status: 200}
	for _, c := range []struct {
		name    string
		d       probe.Destination
		w, here probe.Way
		want    []string
	}{
		{"dropped", straight, broken(probe.StepTCP, probe.Timeout), reached, []string{"TCP: timeout", "the runner reaches it", "drops what pods send", "have the firewall opened"}},
		{"rejected", straight, broken(probe.StepTCP, probe.Refused), reached, []string{"TCP: connection refused", "rejects what pods send"}},
		{"down", straight, broken(probe.StepTCP, probe.Refused), broken(probe.StepTCP, probe.Refused), []string{"from the runner, TCP breaks: connection refused", "the service is down", "ask the service's owners"}},
		{"silent to both", straight, broken(probe.StepTCP, probe.Timeout), broken(probe.StepTCP, probe.Timeout), []string{"closed for both"}},
		{"unknown to pods", straight, broken(probe.StepDNS, probe.NoSuchHost), reached, []string{"DNS: no such host", "which the runner's knows"}},
		{"unknown to all", straight, broken(probe.StepDNS, probe.NoSuchHost), broken(probe.StepDNS, probe.NoSuchHost), []string{"correct the name"}},
		{"DNS silent", straight, broken(probe.StepDNS, probe.Timeout), reached, []string{"CoreDNS"}},
		{"re-signed", straight, probe.Way{Broke: probe.StepTLS, Kind: probe.BadCert, Issuer: "CN=Firewall CA"}, reached, []string{"issued by CN=Firewall CA", "caFile", "CA files of no use: ca.pem"}},
		{"proxy refuses", proxied, broken(probe.StepProxy, probe.BadStatus), reached, []string{"the proxy http://proxy:3128 refuses", "pypi.org:443"}},
		{"proxy unreachable", proxied, broken(probe.StepTCP, probe.Timeout), reached, []string{"cannot reach the proxy"}},
		{"cut in TLS", proxied, broken(probe.StepTLS, probe.Reset), reached, []string{"closes what it does not like"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := judgeBroken(c.d, c.w, c.here, "ca.pem")
			for _, words := range c.want {
				if !strings.Contains(f.Error(), words) {
					t.Errorf("%q is missing in\n%v", words, f)
				}
			}
			if f.Undecided || f.Why == "" || f.Do == "" {
				t.Errorf("%+v", f)
			}
		})
	}
	if !judgeBroken(straight, broken(probe.StepTCP, probe.Stopped), reached, "").Undecided {
		t.Error("a stop of ours fails")
	}
}

// A server that is ill was reached: the way is open. The proxy's own errors lead nowhere.
func TestLed(t *testing.T) {
	ill := probe.Way{Broke: probe.StepHTTP, Kind: probe.BadStatus, Status: 503}
	if !led(ill, probe.Destination{Target: "https://a", Proxy: "http://p"}) || led(ill, probe.Destination{Target: "http://a", Proxy: "http://p"}) {
		t.Error("a status of 503")
	}
	if led(broken(probe.StepTLS, probe.BadCert), probe.Destination{Target: "https://a"}) {
		t.Error("a certificate that is not trusted")
	}
}

func TestJudgeForbidden(t *testing.T) {
	straight, port := probe.Destination{Target: "https://example.com", Forbidden: true}, probe.Destination{Target: "10.1.2.3:443", Forbidden: true}
	proxied := probe.Destination{Target: "https://example.com", Proxy: "http://proxy:3128", Forbidden: true}
	clear := probe.Destination{Target: "http://example.com", Proxy: "http://proxy:3128", Forbidden: true}
	for _, c := range []struct {
		name string
		d    probe.Destination
		w    probe.Way
		want string // "", failed, undecided or DNS
	}{
		{"dropped", straight, broken(probe.StepTCP, probe.Timeout), ""},
		{"rejected", straight, broken(probe.StepTCP, probe.Refused), ""},
		{"no route", port, broken(probe.StepTCP, probe.NoRoute), ""},
		{"answers", straight, probe.Way{Status: 200}, "failed"},
		{"answers with a page of the firewall's", straight, probe.Way{Status: 403}, "failed"},
		{"port open", port, probe.Way{}, "failed"},
		{"open, certificate not trusted", straight, broken(probe.StepTLS, probe.BadCert), "failed"},
		{"cut when the name is seen", straight, broken(probe.StepTLS, probe.Reset), ""},
		{"late after TLS", straight, broken(probe.StepHTTP, probe.Timeout), "undecided"},
		{"cut after TLS", straight, broken(probe.StepHTTP, probe.Reset), "undecided"},
		{"late after TLS through the proxy", proxied, broken(probe.StepHTTP, probe.Timeout), "undecided"},
		{"cut in the clear when the name is seen", clear, broken(probe.StepHTTP, probe.Reset), ""},
		{"name unknown", straight, broken(probe.StepDNS, probe.NoSuchHost), "DNS"},
		{"DNS silent", straight, broken(probe.StepDNS, probe.Timeout), "undecided"},
		{"stopped", straight, broken(probe.StepTCP, probe.Stopped), "undecided"},
		{"odd", straight, broken(probe.StepTCP, probe.Other), "undecided"},
		{"proxy refuses", proxied, broken(probe.StepProxy, probe.BadStatus), ""},
		{"proxy lets through", proxied, probe.Way{Status: 200}, "failed"},
		{"proxy unreachable", proxied, broken(probe.StepTCP, probe.Refused), "undecided"},
		{"proxy refuses in the clear", clear, probe.Way{Status: 403}, ""},
		{"proxy lets through in the clear", clear, probe.Way{Status: 200}, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, byDNS := judgeForbidden(c.d, c.w)
			got := ""
			switch {
			case byDNS:
				got = "DNS"
			case f != nil && f.Undecided:
				got = "undecided"
			case f != nil:
				got = "failed"
			}
			if got != c.want || f != nil && (f.Why == "" || f.Do == "") {
				t.Errorf("%q, want %q: %v", got, c.want, f)
			}
		})
	}
}

func TestJudgeMetadata(t *testing.T) {
	for want, ways := range map[string][]probe.Way{
		"":          {broken(probe.StepTCP, probe.Timeout), broken(probe.StepTCP, probe.Refused), broken(probe.StepTCP, probe.NoRoute)},
		"failed":    {{Status: 200}, {Status: 401}, broken(probe.StepHTTP, probe.BadAnswer)},
		"undecided": {broken(probe.StepTCP, probe.Stopped), broken(probe.StepTCP, probe.Other)},
	} {
		for _, w := range ways {
			f := judgeMetadata(w)
			if f == nil != (want == "") || f != nil && f.Undecided != (want == "undecided") {
				t.Errorf("%+v: %v, want %q", w, f, want)
			}
		}
	}
}

func TestMerge(t *testing.T) {
	failed, undecided := finding.Failed("a", "b", "c", "d"), finding.NotDecided("e", "f", "g", "h")
	if merge(nil) != nil || merge([]*finding.Finding{nil}) != nil {
		t.Error("nothing is something")
	}
	if f := merge([]*finding.Finding{undecided, failed, nil, finding.Failed("a", "B", "c", "d")}); f.Undecided || f.Found != "b\nB" || f.Why != "c" || f.Expected != "a" {
		t.Errorf("%+v", f)
	}
	if f := merge([]*finding.Finding{undecided}); !f.Undecided {
		t.Errorf("%+v", f)
	}
}

func TestReadTrust(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	folder := t.TempDir()
	good, empty := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "empty.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")})
	for file, text := range map[string][]byte{good: slices.Concat(key, certificate, certificate), empty: nil} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := &answers.File{}
	a.Certificates.CAFile, a.Entra.CAFile, a.Registry.CAFile, a.GitLab.CAFile = good, good, empty, filepath.Join(folder, "missing.pem")
	trust := readTrust(a)
	if string(trust.pem) != string(certificate) {
		t.Errorf("%s", trust.pem)
	}
	if note := trust.note(); !strings.Contains(note, "empty.pem holds no certificate") || !strings.Contains(note, "missing.pem") || strings.Contains(note, "ca.pem holds") {
		t.Error(note)
	}
}

func TestWhatWasNotAskedIsNotReached(t *testing.T) {
	w := (&outward{}).way(probe.Destination{Target: "https://a"})
	if led(w, probe.Destination{Target: "https://a"}) || !judgeBroken(probe.Destination{}, w, w, "").Undecided {
		t.Errorf("%+v", w)
	}
	if f, _ := judgeForbidden(probe.Destination{Target: "https://a"}, w); f == nil || !f.Undecided {
		t.Errorf("%v", f)
	}
}

func TestUserLabels(t *testing.T) {
	labels := userLabels(answers.NetworkPolicies{HubLabels: map[string]string{"release": "hub"}})
	if labels["component"] != "singleuser-server" || labels["release"] != "hub" || labels["app"] != "jupyterhub" {
		t.Errorf("%v", labels)
	}
}
