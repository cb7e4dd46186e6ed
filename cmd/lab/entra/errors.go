package entra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Entra's error codes, as its documentation "Microsoft Entra authentication and authorization
// error codes" has them, and codeMalformed for requests that the library refuses.
const (
	codeTenantUnknown     = 90002
	codeAppUnknown        = 700016
	codeSecretWrong       = 7000215
	codeSecretExpired     = 7000222
	codeSecretMissing     = 7000218
	codeResourceUnknown   = 500011
	codeScopeNotDefault   = 1002012
	codeRedirectUnknown   = 50011
	codeLoginRequired     = 50058
	codePasswordWrong     = 50126
	codeConsentMissing    = 65001
	codeCodeUnknown       = 70008
	codeChallengeMismatch = 501481
	codeMalformed         = 9002313
)

// refused is an error in Entra's words, for the library to answer with.
func refused(status int, kind *oidc.Error, code int, format string, args ...any) error {
	kind.Description = inWords(code, format, args...)
	return op.NewStatusError(kind, status)
}

func inWords(code int, format string, args ...any) string {
	return fmt.Sprintf("AADSTS%d: %s", code, fmt.Sprintf(format, args...))
}

// problem is an error as Entra writes it.
type problem struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
}

var codePattern = regexp.MustCompile(`^AADSTS(\d+): `)

// problemOf completes an error. A description without a code is the library's.
func problemOf(r *http.Request, kind, description string) problem {
	if !codePattern.MatchString(description) {
		description = inWords(codeMalformed, "Invalid request. Request is malformed or invalid: %s.", description)
	}
	code, _ := strconv.Atoi(codePattern.FindStringSubmatch(description)[1])
	p := problem{
		Error: kind, Codes: []int{code},
		Timestamp:     time.Now().UTC().Format("2006-01-02 15:04:05Z"),
		TraceID:       uuid.NewString(),
		CorrelationID: r.Header.Get("client-request-id"),
		URI:           fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", code),
	}
	if p.CorrelationID == "" {
		p.CorrelationID = uuid.NewString()
	}
	p.Description = fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s", description, p.TraceID, p.CorrelationID, p.Timestamp)
	return p
}

func (p problem) write(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("x-ms-request-id", p.TraceID)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(p)
}

// page is the sign-in page or the page that says what is wrong. Browsers draw it from $Config.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html><head><title>{{.Title}} (simulated)</title></head><body>
<script>$Config={{.Config}};</script>
<noscript>{{.Text}}</noscript>
{{with .Action}}<form method="post" action="{{.}}">
<input type="hidden" name="ctx" value="{{$.Flow}}"><input name="login"><input type="password" name="passwd"><input type="submit">
</form>{{end}}
</body></html>
`))

type pageValues struct {
	Title, Text, Action, Flow string
	Config                    map[string]any
}

// writePage answers with the page that tells a person about the error. Its status is 200, as
// Entra's: only the text tells.
func (p problem) writePage(w http.ResponseWriter) {
	w.Header().Set("x-ms-request-id", p.TraceID)
	writePage(w, pageValues{Title: "Sign in to your account", Text: p.Description, Config: map[string]any{
		"pgid": "ConvergedError", "iErrorCode": p.Codes[0], "strServiceExceptionMessage": p.Description,
		"correlationId": p.CorrelationID,
	}})
}

func writePage(w http.ResponseWriter, values pageValues) {
	var content bytes.Buffer
	if err := page.Execute(&content, values); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(content.Bytes())
}

// held keeps an answer of the library's, so that it can be put into Entra's words.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func hold(next http.Handler, r *http.Request) *held {
	h := &held{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(h, r)
	return h
}

func (h *held) Header() http.Header         { return h.header }
func (h *held) WriteHeader(status int)      { h.status = status }
func (h *held) Write(p []byte) (int, error) { return h.body.Write(p) }

// refusal is the error that is held, in Entra's words.
func (h *held) refusal(r *http.Request) (problem, bool) {
	if h.status < http.StatusBadRequest {
		return problem{}, false
	}
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(h.body.Bytes(), &said) != nil || said.Error == "" {
		said.Error, said.Description = "invalid_request", http.StatusText(h.status)
	}
	return problemOf(r, said.Error, said.Description), true
}

// pass answers with what is held.
func (h *held) pass(w http.ResponseWriter) {
	for name, values := range h.header {
		w.Header()[name] = values
	}
	w.WriteHeader(h.status)
	w.Write(h.body.Bytes())
}
