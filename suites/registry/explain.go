package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// trouble is what kind of answer, or silence, a registry gave.
type trouble = outbound.Trouble

// What a registry answers.
const (
	unauthorized trouble = "401"
	denied       trouble = "403"
	nameUnknown  trouble = "404 for the name"
	notFound     trouble = "404"
	unsupported  trouble = "405"
	busy         trouble = "429"
	failing      trouble = "5xx"
)

// troubleOf classifies an error of the registry library or of the connection below it; ""
// for nil.
func troubleOf(err error) trouble {
	var status *transport.Error
	if errors.As(err, &status) {
		return statusTrouble(status)
	}
	return outbound.TroubleOf(err)
}

// statusTrouble goes by the code that the registry gives, and by the status where it gives
// none (OCI Distribution Specification 1.1, "Error Codes").
func statusTrouble(err *transport.Error) trouble {
	for _, diagnostic := range err.Errors {
		switch diagnostic.Code {
		case transport.NameUnknownErrorCode:
			return nameUnknown
		case transport.UnsupportedErrorCode:
			return unsupported
		case transport.TooManyRequestsErrorCode:
			return busy
		}
	}
	switch code := err.StatusCode; {
	case code == http.StatusUnauthorized:
		return unauthorized
	case code == http.StatusForbidden:
		return denied
	case code == http.StatusNotFound:
		return notFound
	case code == http.StatusMethodNotAllowed:
		return unsupported
	case code == http.StatusTooManyRequests:
		return busy
	case code >= 500:
		return failing
	}
	return outbound.Odd
}

// isRefusal says that the registry knows who asks and says no, or that it asks who it is.
func isRefusal(t trouble) bool { return t == unauthorized || t == denied }

// advice says why each trouble probably is, and what to do then.
var advice = map[trouble]struct{ why, do string }{
	outbound.Interrupted: {"the run was stopped", "run it again"},
	outbound.Unresolved:  {"the registry's name is wrong, or the DNS that the runner uses does not know it", "correct registry.url, or the DNS"},
	outbound.Refused:     {"nothing listens at the registry's address and port: it is down, or the port is wrong", "see whether the registry runs, and whether registry.url names its port"},
	outbound.Silent:      {"the registry is overloaded or down, or a firewall between the runner and it drops packets", "see whether the registry runs, then ask the network's owners"},
	outbound.NoRoute:     {"the runner's network has no way to the registry", "run where the registry can be reached, or open the network"},
	outbound.Broken:      {"the registry, or a load balancer before it, closed the connection", "see their logs, then run it again"},
	outbound.Untrusted:   {"the certificate is signed by a CA that is neither the system's nor the answered one, or an intermediate is missing", "set registry.caFile to the CA that signs it, or have the server send its whole chain"},
	outbound.Misnamed:    {"the certificate was made for another name", "correct registry.url, or have a certificate made that holds this name"},
	outbound.OutOfDate:   {"the certificate was not renewed, or a clock is wrong", "renew the registry's certificate"},
	outbound.NoTLS:       {"the port speaks plain HTTP", "give the registry's HTTPS port in registry.url; credentials are never sent in the clear"},
	unauthorized:         {"user name or password is wrong, expired or locked", "correct registry.username and what registry.password refers to"},
	denied:               {"the account lacks the permission", "have the permission granted to the account"},
	nameUnknown:          {"the repository does not exist", "create it, or correct registry.repository"},
	notFound:             {"the address is not a registry's, or the image is not there any more", "correct registry.url: it has no path"},
	unsupported:          {"the registry does not allow this operation for anybody", "have it enabled in the registry's configuration"},
	busy:                 {"the registry limits requests", "run it again later, or have the limit raised for this account"},
	failing:              {"the registry has trouble of its own", "see the registry's log and its storage"},
	outbound.Odd:         {"a proxy or something else than a registry answered", "ask the registry's owners, with the text above"},
}

// explain returns the finding for err. A registry that asks to wait, a network of ours
// without a way there, and an interruption decide nothing.
func explain(err error, expected string) *finding.Finding {
	if f := finding.As(err); f != nil {
		return f
	}
	kind := troubleOf(err)
	f := finding.Failed(expected, words(err), advice[kind].why, advice[kind].do)
	f.Undecided = kind == outbound.Interrupted || kind == busy || kind == outbound.NoRoute
	return f.Because(err)
}

// dependent returns the finding for an item that cannot be decided because another one is
// not met, which says all about it.
func dependent(err error, expected, item string) *finding.Finding {
	if f := finding.As(err); f != nil {
		return finding.NotDecided(expected, f.Found, f.Why, "see item "+item).Because(err)
	}
	return finding.NotDecided(expected, words(err), advice[troubleOf(err)].why, "see item "+item).Because(err)
}

// mostWords is how much of an error is worth reading; proxies answer whole web pages.
const mostWords = 300

// words is err in one line: the request, and how it was answered.
func words(err error) string {
	text := err.Error()
	var status *transport.Error
	var connection *url.Error
	switch {
	case errors.As(err, &status) && status.Request != nil:
		text = request(status.Request.Method, status.Request.URL) + " was answered with " + answerOf(status)
	case errors.As(err, &connection):
		if address, parseErr := url.Parse(connection.URL); parseErr == nil {
			text = request(strings.ToUpper(connection.Op), address) + ": " + connection.Err.Error()
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostWords {
		text = strings.ToValidUTF8(text[:mostWords], "") + " …"
	}
	return text
}

// request leaves the query out: it may hold a token.
func request(method string, address *url.URL) string {
	return method + " https://" + address.Host + address.Path
}

// answerOf renders the status and the registry's own words. The details of its errors only
// repeat the request.
func answerOf(err *transport.Error) string {
	text := strconv.Itoa(err.StatusCode)
	for _, diagnostic := range err.Errors {
		text += fmt.Sprintf(" %s: %s", diagnostic.Code, diagnostic.Message)
	}
	if len(err.Errors) == 0 {
		text += " " + http.StatusText(err.StatusCode)
	}
	return text
}
