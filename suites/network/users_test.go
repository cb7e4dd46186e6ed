package network

import (
	"testing"

	"aiv.internal/conformance/framework/probe"
)

func TestJudgeUser(t *testing.T) {
	u := user{vip: "10.0.10.20", host: "hub.example"}
	broke := func(step, kind string) probe.Connection {
		return probe.Connection{Broke: step, Trouble: &probe.Trouble{Kind: kind, Message: "it did not work"}, Steps: []probe.Step{{Name: probe.StepDNS, MS: 2}, {Name: step}}}
	}
	failing := broke(probe.StepHTTP, probe.BadStatus)
	failing.Status = 503
	for name, c := range map[string]struct {
		connection probe.Connection
		proxy      string
		want       string
		words      []string
	}{
		"a page":                {probe.Connection{Status: 200}, "", "", nil},
		"no hub yet":            {failing, "", "", nil},
		"a bad certificate":     {broke(probe.StepTLS, probe.BadCert), "", "", nil},
		"refused":               {broke(probe.StepTCP, probe.Refused), "", "failed", []string{"TCP broke", "2.2.1", "10.0.10.20:443"}},
		"dropped":               {broke(probe.StepTCP, probe.Timeout), "", "failed", []string{"firewall", "DNS 2 ms"}},
		"nobody there":          {broke(probe.StepTCP, probe.NoRoute), "", "failed", []string{"10.0.10.20"}},
		"closed during TLS":     {broke(probe.StepTLS, probe.Reset), "", "failed", []string{"TLS broke", "looks into connections"}},
		"no TLS":                {broke(probe.StepTLS, probe.NotTLS), "", "failed", []string{"plain HTTP"}},
		"odd":                   {broke(probe.StepHTTP, probe.BadAnswer), "", "failed", []string{"HTTP broke"}},
		"stopped":               {broke(probe.StepTCP, probe.Stopped), "", "undecided", []string{"again"}},
		"the proxy says no":     {broke(probe.StepProxy, probe.BadStatus), "http://u:secret@proxy:3128", "undecided", []string{"proxy"}},
		"dropped behind it all": {broke(probe.StepTLS, probe.Timeout), "http://proxy:3128", "failed", []string{"through its proxy http://proxy:3128"}},
	} {
		t.Run(name, func(t *testing.T) { expectFinding(t, u.judge(c.connection, c.proxy), c.want, c.words...) })
	}
	if got := withoutCredentials("http://u:secret@proxy:3128"); got != "http://u:xxxxx@proxy:3128" {
		t.Error(got)
	}
}

func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		one, other string
		want       bool
	}{
		{"10.0.0.1", "10.0.0.1", true}, {"::ffff:10.0.0.1", "10.0.0.1", true}, {"fd00::1", "FD00:0::1", true},
		{"10.0.0.1", "10.0.0.2", false}, {"", "", false}, {"hub.example", "hub.example", false},
	} {
		if sameAddress(c.one, c.other) != c.want {
			t.Errorf("%s and %s: %t", c.one, c.other, !c.want)
		}
	}
}

func TestAddress(t *testing.T) {
	for want, u := range map[string]user{
		"https://hub.example/": {vip: "10.0.0.1", host: "hub.example"}, "https://10.0.0.1/": {vip: "10.0.0.1"}, "https://[fd00::1]/": {vip: "fd00::1"},
	} {
		if got := u.address(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
