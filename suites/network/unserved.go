package network

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// doubt is what, of the way in which a host was led to its pod, may be why nobody serves it, and what
// to do about it.
type doubt struct{ why, do string }

// unserved says why a host is not answered by the pod behind it. Where the visitor has a doubt and the
// pod never answered, that decides nothing. Who answers 502 or 504 has led the host somewhere, in
// vain: no doubt is about that.
func unserved(v visitor, last visit, tries tally) *finding.Finding {
	f := judgeUnserved(v, last, tries)
	if f.Undecided || tries.ours > 0 || last.status == http.StatusBadGateway || last.status == http.StatusGatewayTimeout {
		return f
	}
	for _, d := range []*doubt{v.routeDoubt(last), v.nameDoubt()} {
		if d != nil {
			f = finding.NotDecided(f.Expected, f.Found, f.Why+"; or "+d.why, d.do+"; else "+f.Do).Because(f.Unwrap())
		}
	}
	return f
}

// routeDoubt is why the route may be unserved through no fault of the cluster, where the answer is that
// of one who does not know the host: an alert, a 404, or a page of its own.
func (v visitor) routeDoubt(last visit) *doubt {
	unknown := last.status < 300 || last.status >= 400
	switch last.status {
	case 0:
		unknown = deniedTLS(last.err)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable:
		unknown = false
	}
	if !unknown {
		return nil
	}
	return v.doubt
}

// deniedTLS says that TLS was refused by an alert.
func deniedTLS(err error) bool {
	return err != nil && strings.Contains(err.Error(), "remote error: tls")
}

// nameDoubt is why a throwaway host may be unserved behind a load balancer that ends TLS. One that
// goes by host names answers one that it does not know with an alert, a page, a redirect or (HAProxy)
// a 503.
func (v visitor) nameDoubt() *doubt {
	if !v.fronted {
		return nil
	}
	_, domain, _ := strings.Cut(v.host, ".")
	return &doubt{"the load balancer, which ends TLS (ingress.tlsTermination), lets only names through that it knows, such as JupyterHub's own, and not the throwaway host",
		"where the load balancer goes by host names, see by hand that it leads JupyterHub's name to the ingress controller, or have it pass *." + domain + " on as well"}
}

func judgeUnserved(v visitor, last visit, tries tally) *finding.Finding {
	expected := fmt.Sprintf("https://%s at %s is answered by the throwaway pod behind its route, %d times in a row", v.host, v.address, inARow)
	if last.err != nil {
		return noAnswer(expected, last.err)
	}
	found := answerLine(last)
	switch {
	case tries.ours > 0:
		return finding.Failed(expected, fmt.Sprintf("the pod answered %d times and others %d times in between; last: %s", tries.ours, tries.others, found),
			"of several ingress controllers behind the load balancer, not all serve the host",
			"see whether each of them runs, watches the namespace, and is of the same installation")
	case last.status == http.StatusNotFound:
		return finding.Failed(expected, found,
			"whoever answers does not serve this host: the ingress controller does not watch the namespace or the class, may not read the Services there, or the load balancer leads to another one",
			"see the ingress controller's log for the throwaway route, and which controller is behind the load balancer's address")
	case last.status == http.StatusBadGateway || last.status == http.StatusServiceUnavailable || last.status == http.StatusGatewayTimeout:
		return finding.Failed(expected, found,
			"the ingress controller serves the host and does not get through to the pod behind: it sees no endpoints, or the network or a policy keeps it from pods of this namespace",
			"see the ingress controller's log; open the way from it to the namespace's pods")
	case last.status == http.StatusUnauthorized || last.status == http.StatusForbidden:
		return finding.Failed(expected, found, "something in front of the pod, such as a web application firewall, wants to know who asks",
			"let requests for JupyterHub through: it logs users in itself")
	case last.status >= 300 && last.status < 400:
		return finding.Failed(expected, found, "something in front of the pod redirects what it is asked over https",
			"have it pass requests for JupyterHub on: a redirect of https leads in circles, or away")
	}
	return finding.Failed(expected, found, "somebody else answers for this host", "see who serves the host at that address")
}

// answerLine describes a stranger's answer.
func answerLine(last visit) string {
	text := fmt.Sprintf("%d %s", last.status, http.StatusText(last.status))
	for _, part := range []struct{ name, value string }{{"from server", last.server}, {"to", last.location}} {
		if part.value != "" {
			text += " " + part.name + " " + part.value
		}
	}
	if last.text != "" {
		text += fmt.Sprintf(": %q", last.text)
	}
	return text
}

// noAnswer says why no answer came at all. What the load balancer itself is to answer for is
// item 2.2.1's.
func noAnswer(expected string, err error) *finding.Finding {
	trouble := outbound.TroubleOf(err)
	found := fmt.Sprintf("%s: %v", trouble, err)
	switch {
	case trouble == outbound.Interrupted || errors.Is(err, context.Canceled):
		return finding.NotDecided(expected, found, "the run was interrupted", "run it again").Because(err)
	case deniedTLS(err):
		return finding.Failed(expected, found, "whoever ends TLS there has no certificate for the host: it does not know the route, or demands one of the client",
			"see the ingress controller's log for the throwaway route").Because(err)
	case trouble == outbound.Broken:
		return finding.Failed(expected, found, "the load balancer accepts connections and drops them: what is behind it does not listen, or wants another protocol (such as PROXY)",
			"see what the load balancer has behind port 443, and its health checks").Because(err)
	}
	return finding.NotDecided(expected, found, "the load balancer cannot be asked from here", "see item 2.2.1").Because(err)
}
