package custom

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// connectTimeout bounds one connection, from name to answer.
const connectTimeout = 15 * time.Second

// steps renders how far a connection got: "DNS 2 ms, TCP 1 ms".
func steps(c probe.Connection) string {
	var out []string
	for _, step := range c.Steps {
		if step.Name != c.Broke {
			out = append(out, fmt.Sprintf("%s %.0f ms", step.Name, step.MS))
		}
	}
	return strings.Join(out, ", ")
}

// broken is the finding for a connection that did not succeed.
func broken(c probe.Connection, expected string, from answers.Origin) *finding.Finding {
	found := fmt.Sprintf("%s broke: %s", c.Broke, c.Trouble.Error())
	if done := steps(c); done != "" {
		found += " (after " + done + ")"
	}
	if c.Trouble.Kind == probe.BadCert && c.Certificate != nil {
		found += fmt.Sprintf("; the certificate is %s's, issued by %s", c.Certificate.Subject, c.Certificate.Issuer)
	}
	return troubled(c.Trouble, expected, found, from)
}

// troubled explains a trouble; a stop of ours decides nothing.
func troubled(t *probe.Trouble, expected, found string, from answers.Origin) *finding.Finding {
	why, do := "something unusual is in the way", "ask the target's owners, with the text above"
	side := "the runner"
	if from == answers.FromPod {
		side = "the namespace's pods"
	}
	switch t.Kind {
	case probe.Refused:
		why, do = "nothing listens there, or a firewall refuses "+side, "see whether the target runs, then ask the network's owners"
	case probe.Timeout:
		why, do = "a firewall or a NetworkPolicy drops what "+side+" send, or the target is down", "see whether the target runs, then open the way from "+side
	case probe.NoRoute:
		why, do = "there is no route from "+side, "ask the network's owners"
	case probe.NoSuchHost, probe.DNSFailure:
		why, do = "the DNS that "+side+" use does not know the name", "correct the name, or have it added to that DNS"
	case probe.BadCert:
		why, do = "it is signed by another CA, for another name, or out of date", "set the check's caFile, or have the certificate renewed"
	case probe.NotTLS:
		why, do = "the port does not speak TLS", "correct the port"
	case probe.Reset, probe.BadAnswer:
		why, do = "a proxy or firewall in between closed the connection, or the port speaks another protocol", "ask the target's owners"
	case probe.BadStatus:
		why, do = "the server thinks otherwise", "open the address by hand from "+side+", then correct the server or the check"
	}
	f := finding.Failed(expected, found, why, do)
	f.Undecided = t.Kind == probe.Stopped
	return f
}

// readCA returns the certificates of the check's CA file, or of the company's; nil for none.
func readCA(caFile string) ([]byte, error) {
	caFile = orElse(caFile, check.Answers().Certificates.CAFile)
	if caFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, finding.NotDecided("a CA file", err.Error(), "the answers file names one that is not there for the runner", "set the check's caFile, or certificates.caFile").Because(err)
	}
	return text, nil
}

// proxyFor returns the proxy for an address, "" for none: the answered ones, or, for the
// runner, those of its environment.
func proxyFor(address string, p answers.Proxies, from answers.Origin) string {
	target, err := url.Parse(address)
	if err != nil {
		return ""
	}
	choose := p.ForRunner
	if from == answers.FromPod {
		choose = p.ForPod
	}
	proxy, err := choose(target)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.String()
}

// trusting connects with the company's CA alone, and where that did not sign the certificate,
// and the check names none of its own, with the system's.
func trusting(ctx context.Context, options probe.ConnectOptions, own bool, connect func(context.Context, probe.ConnectOptions) probe.Connection) probe.Connection {
	result := connect(ctx, options)
	if result.OK() || own || len(options.CAs) == 0 || result.Trouble.Kind != probe.BadCert {
		return result
	}
	options.CAs = nil
	if public := connect(ctx, options); public.OK() {
		return public
	}
	return result
}

// headers resolves the request's headers and credentials.
func headers(ctx context.Context, h answers.HTTPCheck) http.Header {
	out := http.Header{}
	out.Set("User-Agent", check.UserAgent())
	for name, value := range h.Headers {
		text := value.Text
		if value.Secret.IsSet() {
			text = check.Secret(ctx, value.Secret)
		}
		out.Set(name, text)
	}
	if h.Bearer.IsSet() {
		out.Set("Authorization", "Bearer "+check.Secret(ctx, h.Bearer))
	}
	if h.Password.IsSet() {
		request := http.Request{Header: http.Header{}}
		request.SetBasicAuth(h.Username, check.Secret(ctx, h.Password))
		out.Set("Authorization", request.Header.Get("Authorization"))
	}
	return out
}
