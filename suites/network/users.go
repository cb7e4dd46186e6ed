package network

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

var _ = check.Subsection("2.3", func() {
	check.Item("2.3.4.1", func(ctx context.Context, a answers.Ingress) {
		u := user{vip: a.VIP, host: check.Answers().DNS.Domain}
		u.lookUp(ctx)
		proxy := u.proxy(check.Answers().Runner.Proxies)
		check.Step("open %s", u.address())
		connection := u.open(ctx, proxy)
		check.Evidence("address", u.address())
		check.Evidence("steps", describeSteps(connection))
		if proxy != "" {
			check.Evidence("through proxy", withoutCredentials(proxy))
		}
		check.NoError(u.judge(connection, proxy), "open JupyterHub's address")
	})
})

// user goes the way that a user's browser goes, from where the runner stands.
type user struct {
	vip string
	// host is JupyterHub's name, "" where it is not answered.
	host string
}

func (u user) address() string {
	host := u.host
	if host == "" {
		host = bracketed(u.vip)
	}
	return "https://" + host + "/"
}

// lookUp tells what the runner's resolver says of the name. Section 2.1 judges names; the way
// to the load balancer can be measured all the same.
func (u user) lookUp(ctx context.Context) {
	if u.host == "" {
		return
	}
	check.Step("resolve %s", u.host)
	resolution := probe.DNS(ctx, u.host, "")
	switch {
	case resolution.Trouble != nil:
		check.Evidence("name", resolution.Trouble.Error())
		check.Warn(u.host+" does not resolve for the runner: "+resolution.Trouble.Error(), "the way is measured to "+u.vip+" itself", "see section 2.1")
	case !slices.ContainsFunc(resolution.Addresses, func(address string) bool { return sameAddress(address, u.vip) }):
		check.Evidence("name", strings.Join(resolution.Addresses, " "))
		check.Warn(fmt.Sprintf("%s resolves to %s for the runner", u.host, strings.Join(resolution.Addresses, ", ")),
			"that is not the load balancer's address "+u.vip+", to which the way is measured", "see section 2.1")
	default:
		check.Evidence("name", u.vip)
	}
}

func sameAddress(one, other string) bool {
	a, errA := netip.ParseAddr(one)
	b, errB := netip.ParseAddr(other)
	return errA == nil && errB == nil && a.Unmap() == b.Unmap()
}

// proxy is what a user here goes through, "" for none.
func (u user) proxy(proxies answers.Proxies) string {
	target, err := url.Parse(u.address())
	if err != nil {
		return ""
	}
	proxy, err := proxies.ForRunner(target)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.String()
}

// open asks the load balancer for JupyterHub's page, with JupyterHub's name. A proxy finds the
// address by the name.
func (u user) open(ctx context.Context, proxy string) probe.Connection {
	options := probe.ConnectOptions{Proxy: proxy, Timeout: doorLimit, Header: http.Header{"User-Agent": {check.UserAgent()}}}
	// A CA that cannot be read is section 3's; here it only means that verification fails.
	if text, err := os.ReadFile(check.Answers().Certificates.CAFile); err == nil {
		options.CAs = text
	}
	if proxy != "" || u.host == "" {
		return probe.HTTP(ctx, u.address(), options)
	}
	options.ServerName = u.host
	options.Header.Set("Host", u.host)
	return probe.HTTP(ctx, "https://"+net.JoinHostPort(u.vip, "443")+"/", options)
}

// judge: the way is open where something on the other side answers. A certificate that does
// not verify came all the way, and is section 3's.
func (u user) judge(c probe.Connection, proxy string) error {
	if c.OK() || c.Trouble.Kind == probe.BadCert || c.Status != 0 {
		return nil
	}
	from := "the runner"
	if proxy != "" {
		from = "the runner, through its proxy " + withoutCredentials(proxy) + ","
	}
	expected := fmt.Sprintf("%s reaches %s at %s, as users do", from, u.address(), net.JoinHostPort(u.vip, "443"))
	found := fmt.Sprintf("%s broke: %s", c.Broke, c.Trouble.Error())
	if done := describeSteps(c); done != "" {
		found += " (" + done + ")"
	}
	if c.Broke == probe.StepProxy {
		return finding.NotDecided(expected, found, "the proxy does not let the runner through, which says nothing about users", "correct runner.proxies, or have the proxy let the runner through")
	}
	switch c.Trouble.Kind {
	case probe.Stopped:
		return finding.NotDecided(expected, found, "the run was stopped", "run it again")
	case probe.Refused:
		return finding.Failed(expected, found, "nothing serves port 443 at that address, or a firewall refuses the connection",
			"see item 2.2.1 first; if it is met elsewhere, open the firewall from the users' networks to port 443")
	case probe.Timeout, probe.NoRoute:
		return finding.Failed(expected, found, "a firewall between here and the load balancer drops the connection, or nobody answers for the address",
			"open the firewall from the users' networks to "+u.vip+" port 443 and 80; if the runner's network is not to have access, run this item where users are")
	case probe.NotTLS:
		return finding.Failed(expected, found, "port 443 speaks plain HTTP", "have TLS end at the load balancer or behind it")
	case probe.Reset:
		return finding.Failed(expected, found, "a firewall that looks into connections closes this one, or the load balancer has no backend",
			"ask those who run the firewall and the load balancer, with the step that broke")
	}
	return finding.Failed(expected, found, "something on the way does not let the request through", "ask those who run the firewall and the load balancer, with the step that broke")
}

// describeSteps renders how far a connection got: "TCP 1 ms, TLS 4 ms, HTTP 2 ms (404 Not Found)".
func describeSteps(c probe.Connection) string {
	var out []string
	for _, step := range c.Steps {
		if step.Name == c.Broke {
			continue
		}
		text := fmt.Sprintf("%s %.0f ms", step.Name, step.MS)
		if step.Name == probe.StepHTTP {
			text += " (" + step.Detail + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func withoutCredentials(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "with a malformed address"
	}
	return parsed.Redacted()
}
