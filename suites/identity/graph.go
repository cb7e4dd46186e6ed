package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"k8s.io/apimachinery/pkg/util/uuid"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// graphError is a refusal by Microsoft Graph
// (https://learn.microsoft.com/graph/errors).
type graphError struct {
	request string
	status  int
	code    string
	message string
	// id is what Microsoft's support asks for.
	id string
}

func (e *graphError) Error() string {
	text := fmt.Sprintf("%s was answered with %d", e.request, e.status)
	switch {
	case e.code != "":
		text += " " + e.code + ": " + e.message
	default:
		text += " " + http.StatusText(e.status)
	}
	if e.id != "" {
		text += " (request-id " + e.id + ")"
	}
	return text
}

// finding explains the refusal. It decides nothing: that Microsoft Graph answers is how
// items are looked at, and none of them by itself.
func (e *graphError) finding(expected string) *finding.Finding {
	why, do := "Microsoft Graph refuses it for a reason of its own", "see Microsoft Graph's own words above"
	switch {
	case e.status == http.StatusTooManyRequests:
		why, do = "Microsoft Graph limits requests, for longer than the runner waits", "run it again later"
	case e.status >= 500:
		why, do = "Microsoft Graph, or a proxy before it, has trouble of its own", "see Microsoft's service health, then run it again"
	case e.code == "":
		why, do = "a proxy or something else than Microsoft Graph answered", "correct entra.graphUrl, or see what the company's proxy does with it"
	case e.status == http.StatusUnauthorized:
		why, do = "Microsoft Graph does not accept the token: it is for another service or another cloud, or a clock is wrong", "correct entra.graphUrl: it must belong to the same cloud as entra.loginUrl; see item 4.1.4"
	case e.status == http.StatusForbidden:
		why, do = "the application lacks the permission to read it", "grant it the permission, or look by hand"
	case e.status == http.StatusNotFound:
		why, do = "the directory has none", "see item 4.1.1"
	}
	return finding.NotDecided(expected, short(e.Error()), why, do).Because(e)
}

func asGraph(err error) *graphError {
	var e *graphError
	errors.As(err, &e)
	return e
}

// isMissing says that Microsoft Graph itself knows no such thing: proxies answer with 404, too.
func isMissing(err error) bool {
	e := asGraph(err)
	return e != nil && e.status == http.StatusNotFound && e.code == "Request_ResourceNotFound"
}

// isForbidden says that Microsoft Graph itself refuses it for want of a permission.
func isForbidden(err error) bool {
	e := asGraph(err)
	return e != nil && e.status == http.StatusForbidden && e.code != ""
}

// unread returns the finding for an item that needs something of the directory which could
// not be read. permission is the application permission that reading it takes.
func (d *directory) unread(err error, expected, permission string) *finding.Finding {
	var connection *url.Error
	switch {
	case isForbidden(err):
		return finding.NotDecided(expected, short(err.Error()), "the application may not read it: without a signed-in user, that takes the application permission "+permission,
			"grant "+permission+" (API permissions, Application, with admin consent), for the time of the run if need be; or have an administrator look by hand").Because(err)
	case asGraph(err) != nil:
		return asGraph(err).finding(expected)
	case errors.As(err, &connection) && !d.isLogin(connection):
		return explain(err, expected, graphKey)
	case finding.As(err) != nil && asLogin(err) == nil && connection == nil:
		f := *finding.As(err)
		return finding.NotDecided(expected, f.Found, f.Why, f.Do).Because(err)
	}
	return dependent(err, expected, loginKey, itemOf(err))
}

func (d *directory) isLogin(err *url.Error) bool {
	address, parseErr := url.Parse(err.URL)
	return parseErr == nil && address.Host == d.login.Host && (d.login.Host != d.graph.Host || address.Path == d.login.Path+"/"+d.tenant+"/oauth2/v2.0/token")
}

// itemOf returns the item that a failed request for a token belongs to.
func itemOf(err error) string {
	var connection *url.Error
	if e := asLogin(err); e != nil {
		if known := remedies[e.code]; known.item != "" {
			return known.item
		}
		return "4.1.4"
	}
	if errors.As(err, &connection) || outbound.TroubleOf(err) == outbound.Interrupted {
		return "4.1.3"
	}
	return "4.1.4"
}

// read asks Microsoft Graph for one thing.
func read[T any](ctx context.Context, d *directory, path string, query url.Values) (*T, error) {
	into := new(T)
	if err := d.ask(ctx, d.graphAddress(path, query), into); err != nil {
		return nil, err
	}
	return into, nil
}

// mostPages bounds a list, against one that never ends.
const mostPages = 100

// list asks Microsoft Graph for a list, page by page, until enough says so; nil for all.
func list[T any](ctx context.Context, d *directory, path string, query url.Values, enough func([]T) bool) ([]T, error) {
	var all []T
	next := d.graphAddress(path, query)
	for range mostPages {
		var page struct {
			Value []T    `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		if err := d.ask(ctx, next, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		if page.Next == "" || enough != nil && enough(all) {
			return all, nil
		}
		// The token goes to no other host, whatever a page says.
		at, err := url.Parse(page.Next)
		if err != nil || at.Scheme != d.graph.Scheme || at.Host != d.graph.Host {
			return nil, finding.NotDecided("pages of "+path+" at "+d.graph.Host, "the next one is said to be at "+quoted(page.Next), "something else than Microsoft Graph answered, or it names itself otherwise than entra.graphUrl does", "correct entra.graphUrl")
		}
		next = page.Next
	}
	return nil, finding.NotDecided("a list that ends", fmt.Sprintf("%s has more than %d pages", path, mostPages), "", "")
}

func (d *directory) graphAddress(path string, query url.Values) string {
	address := d.graph.String() + "/v1.0/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

// ask makes one request of Microsoft Graph and reads its JSON.
func (d *directory) ask(ctx context.Context, address string, into any) error {
	t, err := d.graphToken(ctx)
	if err != nil {
		return err
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	asked.Header.Set("Authorization", "Bearer "+t.raw)
	asked.Header.Set("Accept", "application/json")
	asked.Header.Set("client-request-id", string(uuid.NewUUID()))
	response, body, err := d.send(asked)
	if err != nil {
		return err
	}
	what := request(http.MethodGet, asked.URL)
	if response.StatusCode != http.StatusOK {
		refusal := &graphError{request: what, status: response.StatusCode, id: response.Header.Get("request-id")}
		var answer struct {
			Error struct{ Code, Message string }
		}
		if json.Unmarshal(body, &answer) == nil {
			refusal.code, refusal.message = answer.Error.Code, answer.Error.Message
		}
		return refusal
	}
	if err := json.Unmarshal(body, into); err != nil {
		return finding.NotDecided(what+" is answered with JSON", "another kind of text", "a proxy or something else than Microsoft Graph answered",
			"correct entra.graphUrl, or see what the company's proxy does with it").Because(err)
	}
	return nil
}

// selecting returns the query for some properties.
func selecting(properties string) url.Values { return url.Values{"$select": {properties}} }
