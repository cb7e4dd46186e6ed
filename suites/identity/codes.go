package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"aiv.internal/conformance/framework/finding"
)

// Codes of Entra ID (https://learn.microsoft.com/entra/identity-platform/reference-error-codes)
// that checks decide by.
const (
	codeNoSession        = 50058
	codeRedirectUnknown  = 50011
	codeNoRedirects      = 500113
	codeTenantUnknown    = 90002
	codeTenantMalformed  = 900023
	codeAppUnknown       = 700016
	codeAppDisabled      = 7000112
	codeAppNotInstalled  = 7000229
	codeSecretWrong      = 7000215
	codeSecretExpired    = 7000222
	codeSecretNotAllowed = 7000218
	codeTokenForItself   = 90009
	codeNoSuchResource   = 500011
	codeNotAssigned      = 501051
	codeBusy             = 90055
	codeTransient        = 90033
	codeRetry            = 90006
	codeOverBudget       = 90024
	codeLoop             = 50196
)

// remedy says which item a code belongs to, why it probably came, and what to do.
type remedy struct{ item, why, do string }

// remedies explains the codes that an application of its own can meet. Those without an
// item belong to the one that asked.
var remedies = map[int]remedy{
	codeTenantUnknown:    {"4.1.3", "no directory has this tenant ID: it is mistyped, or belongs to another cloud than entra.loginUrl", "correct entra.tenantId (Entra admin center, Overview), or entra.loginUrl"},
	codeTenantMalformed:  {"4.1.3", "this is neither the ID nor a domain of a tenant", "correct entra.tenantId (Entra admin center, Overview)"},
	codeAppUnknown:       {"4.1.2", "the client ID is mistyped, or the application is registered in another tenant", "correct entra.clientId (App registrations, Overview), or entra.tenantId"},
	codeAppDisabled:      {"4.1.1", "an administrator disabled the application", "enable sign-in for it (Enterprise applications, Properties)"},
	codeAppNotInstalled:  {"4.1.1", "the tenant has no service principal for the application", "grant admin consent once: that creates it"},
	700054:               {"4.1.1", "the application does not allow this kind of answer", "allow the authorization code flow for it"},
	codeSecretWrong:      {"4.1.4", "the secret is mistyped, was replaced, or it is the secret's ID in place of its value", "set what entra.clientSecret refers to, to the value of a client secret (Certificates & secrets); a value is shown only once, when the secret is made"},
	codeSecretExpired:    {"4.1.4", "the client secret's last day has passed", "make a new client secret (Certificates & secrets) and set what entra.clientSecret refers to"},
	codeSecretNotAllowed: {"4.1.4", "Entra ID saw no client secret in the request", "set what entra.clientSecret refers to; see that no proxy changes requests"},
	7000216:              {"4.1.4", "Entra ID saw no client secret in the request", "set what entra.clientSecret refers to; see that no proxy changes requests"},
	700027:               {"4.1.4", "the application signs with a certificate that Entra ID does not know", "use a client secret, as the checklist says"},
	codeNoRedirects:      {"4.1.6", "the application has no redirect URI at all", "add entra.redirectUri under Authentication, platform Web"},
	codeRedirectUnknown:  {"4.1.6", "this redirect URI is not among the application's", "add entra.redirectUri under Authentication, platform Web, letter by letter"},
	65001:                {"4.1.8", "nobody consented to the permissions", "have an administrator grant admin consent (API permissions)"},
	650056:               {"4.1.7", "the application requests no permission, or nobody consented", "add the permissions and grant admin consent (API permissions)"},
	50126:                {"", "name or password is wrong", "correct testUsers.users, or set the user's password anew"},
	50034:                {"", "the tenant has no such user", "correct testUsers.users"},
	50053:                {"", "the account is locked: too many wrong passwords", "unlock it, and correct what testUsers.users refers to"},
	50055:                {"", "the password has expired", "set a new one"},
	50057:                {"", "the account is disabled", "enable it"},
	50076:                {"", "the tenant asks for a second factor", "exclude the test user, or try the login by hand"},
	50079:                {"", "the user must register a second factor first", "exclude the test user, or try the login by hand"},
	50105:                {"", "the application wants users to be assigned, and this one is not", "assign users or groups, or set Assignment required to No (Enterprise applications, Properties)"},
	codeNotAssigned:      {"", "the application wants assignments, and has none for itself", "set Assignment required to No (Enterprise applications, Properties)"},
	codeNoSuchResource:   {"", "the tenant does not know the service that the token is for", "correct entra.graphUrl: it must belong to the same cloud as entra.loginUrl"},
	70011:                {"", "the scope is not one that Entra ID knows", "correct entra.graphUrl: it must belong to the same cloud as entra.loginUrl"},
	1002012:              {"", "the scope is not one that Entra ID knows", "correct entra.graphUrl: it must belong to the same cloud as entra.loginUrl"},
	53003:                {"", "a Conditional Access policy blocks the application from where the runner stands", "exclude the application, or allow the runner's address (Conditional Access for workload identities)"},
	codeTransient:        {"", "Entra ID has trouble for the moment", "run it again"},
	codeRetry:            {"", "Entra ID has trouble for the moment", "run it again"},
	codeOverBudget:       {"", "Entra ID has trouble for the moment", "run it again"},
	codeLoop:             {"", "Entra ID limits requests: it saw too many alike", "run it again in some minutes"},
	codeBusy:             {"", "Entra ID limits requests", "run it again later"},
}

// loginError is a refusal by Entra ID.
type loginError struct {
	request string
	status  int
	// code is the number after AADSTS, 0 where there is none.
	code int
	// kind is the error in the words of OAuth 2.0 (RFC 6749, 5.2), "" where there is none.
	kind string
	// text is the first sentence of the description.
	text string
	// trace is what Microsoft's support asks for.
	trace string
}

func (e *loginError) Error() string {
	text := e.text
	if text == "" {
		text = "no AADSTS code"
	}
	if e.trace != "" {
		text += " (trace ID " + e.trace + ")"
	}
	return fmt.Sprintf("%s was answered with %d %s", e.request, e.status, text)
}

var (
	// codePattern finds a code, and the text behind it, in an error's description and in
	// error pages.
	codePattern  = regexp.MustCompile(`AADSTS(\d{4,8})(?:: ?[^\r\n<"\\]*)?`)
	tracePattern = regexp.MustCompile(`Trace ID: ([0-9A-Fa-f-]{8,40})`)
)

// loginRefusal reads an error of Entra ID from its JSON, or else from its page.
func loginRefusal(request string, status int, body []byte) *loginError {
	e := &loginError{request: request, status: status}
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
	}
	text := string(body)
	if json.Unmarshal(body, &answer) == nil {
		text = answer.Description
		e.kind, e.text = answer.Error, answer.Error
		if len(answer.Codes) > 0 {
			e.code = answer.Codes[0]
		}
	}
	if match := codePattern.FindStringSubmatch(text); match != nil {
		if e.code == 0 {
			e.code, _ = strconv.Atoi(match[1])
		}
		e.text, _, _ = strings.Cut(match[0], "Trace ID: ")
		e.text, _, _ = strings.Cut(strings.TrimSpace(e.text), ". ")
	}
	if match := tracePattern.FindStringSubmatch(text); match != nil {
		e.trace = match[1]
	}
	if e.text == "" && e.code != 0 {
		e.text = fmt.Sprintf("AADSTS%d", e.code)
	}
	return e
}

// temporary are codes that come and go.
var temporary = []int{codeBusy, codeTransient, codeRetry, codeOverBudget, codeLoop}

// busy says that the refusal decides nothing: asked again, Entra ID may answer otherwise.
func (e *loginError) busy() bool {
	return slices.Contains(temporary, e.code) || e.kind == "temporarily_unavailable" || e.code == 0 && (e.status == http.StatusTooManyRequests || e.status >= http.StatusInternalServerError)
}

// finding explains the refusal.
func (e *loginError) finding(expected string) *finding.Finding {
	known, found := remedies[e.code]
	switch {
	case found:
	case e.code == 0 && e.status == http.StatusTooManyRequests:
		known = remedies[codeBusy]
	case e.kind == "temporarily_unavailable":
		known = remedies[codeTransient]
	case e.code == 0 && e.status >= 500:
		known = remedy{why: "Entra ID, or a proxy before it, has trouble of its own", do: "see Microsoft's service health, then run it again"}
	case e.code == 0:
		known = remedy{why: "a proxy or something else than Entra ID answered", do: "correct entra.loginUrl, or see what the company's proxy does with it"}
	default:
		known = remedy{why: "Entra ID refuses it for a reason of its own", do: fmt.Sprintf("look the code up at https://login.microsoftonline.com/error?code=%d", e.code)}
	}
	f := finding.Failed(expected, short(e.Error()), known.why, known.do)
	f.Undecided = e.busy()
	return f.Because(e)
}
