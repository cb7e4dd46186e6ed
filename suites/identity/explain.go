package identity

import (
	"errors"
	"net/url"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// advice says why each trouble with a connection probably is, and what to do then. KEY is
// the answer that the address comes from.
var advice = map[outbound.Trouble]struct{ why, do string }{
	outbound.Interrupted: {"the run was stopped", "run it again"},
	outbound.Unresolved:  {"the name is wrong, or the DNS that the runner uses does not know it", "correct KEY, or the DNS; behind a proxy, set runner.proxies.https"},
	outbound.Refused:     {"nothing listens there: the service is down, or a firewall rejects the runner", "see whether the service runs; open the firewall, or set runner.proxies.https"},
	outbound.Silent:      {"a firewall between the runner and the service drops packets, or the service is down", "open the firewall for HTTPS to it, or set runner.proxies.https"},
	outbound.NoRoute:     {"the runner's network has no way there", "run where it can be reached, or set runner.proxies.https"},
	outbound.Broken:      {"the service, or a proxy before it, closed the connection", "see the proxy's log, then run it again"},
	outbound.Untrusted:   {"the certificate is signed by a CA that is neither the system's nor the answered one: a proxy of the company re-signs it, or the runner's image, which holds no CAs, is used without an answer", "set entra.caFile to the CA that signs it: the company's, or Microsoft's (https://learn.microsoft.com/azure/security/fundamentals/azure-ca-details)"},
	outbound.Misnamed:    {"the certificate was made for another name", "correct KEY"},
	outbound.OutOfDate:   {"the certificate was not renewed, or a clock is wrong", "renew it, or correct the runner's clock"},
	outbound.NoTLS:       {"the address speaks plain HTTP", "give an https address in KEY; credentials are never sent in the clear"},
	outbound.Odd:         {"a proxy or something else than the service answered", "ask the network's owners, with the text above"},
}

// explain returns the finding for err, of a request to the address in the answer key. A
// service that asks to wait and a connection that fails decide nothing: the runner stands
// elsewhere than the cluster, whose own way there is for 2.3.4.2 to prove.
func explain(err error, expected, key string) *finding.Finding {
	if f := finding.As(err); f != nil {
		own := *f // others are given the same one
		return &own
	}
	if login := asLogin(err); login != nil {
		return login.finding(expected)
	}
	if refusal := asGraph(err); refusal != nil {
		return refusal.finding(expected)
	}
	kind := outbound.TroubleOf(err)
	return finding.NotDecided(expected, words(err), advice[kind].why, strings.ReplaceAll(advice[kind].do, "KEY", key)).Because(err)
}

// dependent returns the finding for an item that cannot be decided because another one is
// not met, which says all about it.
func dependent(err error, expected, key, item string) *finding.Finding {
	f := explain(err, expected, key)
	return finding.NotDecided(expected, f.Found, f.Why, "see item "+item).Because(err)
}

func asLogin(err error) *loginError {
	var e *loginError
	errors.As(err, &e)
	return e
}

// codeOf returns the AADSTS code in err, 0 for none.
func codeOf(err error) int {
	if e := asLogin(err); e != nil {
		return e.code
	}
	return 0
}

// words is err in one line. Queries are left out: they hold much and say little.
func words(err error) string {
	var connection *url.Error
	if errors.As(err, &connection) {
		if address, parseErr := url.Parse(connection.URL); parseErr == nil {
			return short(request(strings.ToUpper(connection.Op), address) + ": " + connection.Err.Error())
		}
	}
	return short(err.Error())
}

func request(method string, address *url.URL) string {
	return method + " " + address.Scheme + "://" + address.Host + address.Path
}

// mostWords is how much of an error is worth reading; proxies answer whole web pages.
const mostWords = 400

func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostWords {
		text = strings.ToValidUTF8(text[:mostWords], "") + " …"
	}
	return text
}
