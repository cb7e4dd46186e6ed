// Package graph is the lab's simulated Microsoft Graph: the reading part of v1.0 that is about
// applications, consent, groups and their members, with Graph's permissions, pages, throttling
// and errors. Nothing can be changed through it.
package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

// Version begins every path.
const Version = "/v1.0"

// FaultThrottled refuses each address once: nothing may fail for it.
const FaultThrottled = "graph-throttled"

// retryAfter is what a throttled client is told to wait.
const retryAfter = time.Second

// Token is what a token says about who asks.
type Token struct {
	AppID string
	// UserID is set where the application asks for a user, and Scopes then count, not Roles.
	UserID        string
	Roles, Scopes []string
}

// Settings are what Graph needs.
type Settings struct {
	// URL is how clients reach it, without a slash at the end.
	URL string
	// Tenant is the directory as it is now.
	Tenant func() directory.Directory
	// Verify says what is in a token, or what a client is told whose token is refused.
	Verify func(token string) (found Token, refusal string)
	// Active says whether the named fault is planted now.
	Active func(fault string) bool
}

// api answers requests.
type api struct {
	Settings

	mu        sync.Mutex
	throttled map[string]bool // addresses that were refused, until they are asked for again
}

// New returns Graph.
func New(s Settings) http.Handler { return &api{Settings: s, throttled: map[string]bool{}} }

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, refused := a.ask(r)
	if refused != nil {
		refused.write(w, r)
		return
	}
	found.write(w)
}

// ask lets the request through what stands before every resource: who asks, how often, and
// with which permission.
func (a *api) ask(r *http.Request) (answer, *problem) {
	raw, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer")
	if raw = strings.TrimSpace(raw); !isBearer || raw == "" {
		return nil, &problem{http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty."}
	}
	token, refusal := a.Verify(raw)
	if refusal != "" {
		return nil, &problem{http.StatusUnauthorized, "InvalidAuthenticationToken", refusal}
	}
	if a.throttle(r) {
		return nil, &problem{http.StatusTooManyRequests, "TooManyRequests", "Too many requests"}
	}
	asked, keys, known := routeOf(r)
	if !known {
		return nil, badRequest("Resource not found for the segment '%s'.", strings.TrimPrefix(r.URL.Path, Version+"/"))
	}
	if !token.mayAny(asked.permissions) {
		return nil, &problem{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	}
	return asked.answer(&request{Request: r, Directory: a.Tenant(), token: token, keys: keys, base: a.URL})
}

// throttle says whether this request is one too many.
func (a *api) throttle(r *http.Request) bool {
	if !a.Active(FaultThrottled) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	address := r.Method + " " + r.URL.RequestURI()
	a.throttled[address] = !a.throttled[address]
	return a.throttled[address]
}

// mayAny says whether the token holds one of the permissions.
func (t Token) mayAny(permissions []string) bool {
	held := t.Roles
	if t.UserID != "" {
		held = t.Scopes
	}
	return slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(held, p) })
}

// problem is an error as Graph says it.
type problem struct {
	status        int
	code, message string
}

func badRequest(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...)}
}

func notFound(id string) *problem {
	return &problem{http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '" + id + "' does not exist or one of its queried reference-property objects are not present."}
}

func (p *problem) write(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	client := r.Header.Get("client-request-id")
	if client == "" {
		client = id
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("request-id", id)
	w.Header().Set("client-request-id", client)
	switch p.status {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", fmt.Sprintf("%.0f", retryAfter.Seconds()))
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="`+directory.GraphAppID+`"`)
	}
	w.WriteHeader(p.status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": p.code, "message": p.message,
		"innerError": map[string]string{
			"date": time.Now().UTC().Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": client,
		},
	}})
}
