package entra

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

const secretValue = "right-secret-value"

// lab is the provider with the lab's tenant, asked over TLS.
type lab struct {
	*testing.T
	url, base string // base is the tenant's
	client    *http.Client
	log       *logBuffer

	mu     sync.Mutex
	faults map[string]bool
}

func newLab(t *testing.T, faults ...string) *lab {
	t.Helper()
	l := &lab{T: t, faults: map[string]bool{}, log: &logBuffer{}}
	for _, fault := range faults {
		l.plant(fault)
	}
	server := httptest.NewUnstartedServer(nil)
	l.url = "https://" + server.Listener.Addr().String()
	l.base = l.url + "/" + directory.TenantID
	start := time.Now().Add(-24 * time.Hour)
	handler, err := New(Settings{
		LoginURL: l.url, GraphURL: l.url,
		Credential: directory.Credential{Value: secretValue, Start: start, End: start.AddDate(1, 0, 0)},
		Active: func(fault string) bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.faults[fault]
		},
		Log: slog.New(slog.NewTextHandler(l.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.StartTLS()
	t.Cleanup(server.Close)
	l.client = server.Client()
	l.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	l.client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS12
	return l
}

func (l *lab) plant(fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults[fault] = true
}

// logBuffer holds what the server logs, which it does while a test reads.
type logBuffer struct {
	mu      sync.Mutex
	content bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.String()
}

// with plants the fault, if there is one, until the test ends.
func (l *lab) with(t *testing.T, fault string) *lab {
	l.plant(fault)
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.faults, fault)
	})
	return &lab{T: t, url: l.url, base: l.base, client: l.client, log: l.log}
}

// response is an answer with its body read.
type response struct {
	*http.Response
	text string
}

func (r response) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.text), into); err != nil {
		t.Fatalf("%v in %s", err, r.text)
	}
}

func (l *lab) do(method, address string, body url.Values, header ...string) response {
	l.Helper()
	request, err := http.NewRequestWithContext(l.Context(), method, address, strings.NewReader(body.Encode()))
	if err != nil {
		l.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := l.client.Do(request)
	if err != nil {
		l.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		l.Fatal(err)
	}
	return response{answer, string(content)}
}

// asked is a token request that succeeds on the healthy lab, with some of it changed.
func asked(changes ...string) url.Values {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {directory.ClientID}, "client_secret": {secretValue},
		"scope": {graphAudience + "/.default"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	return form
}

func (l *lab) token(scope string) string {
	l.Helper()
	answer := l.do("POST", l.base+tokenPath, asked("scope", scope))
	var got tokens
	answer.decode(l.T, &got)
	if answer.StatusCode != 200 || got.Access == "" || got.Type != "Bearer" || got.ExpiresIn != 3599 {
		l.Fatalf("%s: %s", answer.Status, answer.text)
	}
	return got.Access
}

// graph asks Graph with a new token.
func (l *lab) graph(path string, header ...string) response {
	l.Helper()
	return l.do("GET", l.url+"/v1.0/"+path, nil, append(header, "Authorization", "Bearer "+l.token(graphAudience+"/.default"))...)
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// verified returns the error of verifying the token with the published keys.
func (l *lab) verified(token string) error {
	l.Helper()
	var set jose.JSONWebKeySet
	l.do("GET", l.base+keysPath, nil).decode(l.T, &set)
	parsed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return err
	}
	keys := set.Key(parsed.Signatures[0].Header.KeyID)
	if len(keys) == 0 {
		l.Fatalf("key %s is not published", parsed.Signatures[0].Header.KeyID)
	}
	_, err = parsed.Verify(keys[0])
	return err
}
