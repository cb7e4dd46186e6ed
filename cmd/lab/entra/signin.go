package entra

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

// flow is a sign-in from the request for it until its code is exchanged.
type flow struct {
	request oidc.AuthRequest
	user    directory.User // set when the user has signed in
}

// flowLimit bounds the sign-ins in progress: those that nobody ends are forgotten together.
const flowLimit = 1000

// keep remembers the flow under a new name.
func (p *provider) keep(f *flow) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flows) >= flowLimit {
		clear(p.flows)
	}
	id := rand.Text()
	p.flows[id] = f
	return id
}

// take returns the flow of that name and forgets it.
func (p *provider) take(id string) (flow, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, known := p.flows[id]
	delete(p.flows, id)
	if !known {
		return flow{}, false
	}
	return *f, true
}

// authorize answers a browser: errors are pages, and the sign-in page comes at once.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request, library http.Handler) {
	h := hold(library, r)
	if said, isError := h.refusal(r); isError {
		said.writePage(w)
		return
	}
	if id, isLogin := strings.CutPrefix(h.header.Get("Location"), loginPath+"?ctx="); isLogin {
		signInPage(w, id, "")
		return
	}
	h.pass(w)
}

func signInPage(w http.ResponseWriter, id, trouble string) {
	writePage(w, pageValues{
		Title: "Sign in to your account", Text: trouble, Flow: id, Action: "/" + directory.TenantID + loginPath,
		Config: map[string]any{"pgid": "ConvergedSignIn", "sErrTxt": trouble},
	})
}

// login takes what the sign-in page sends.
func (p *provider) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		problemOf(r, "invalid_request", "the sign-in page sends a form").write(w, http.StatusBadRequest)
		return
	}
	begun, known := p.take(r.PostForm.Get("ctx"))
	if !known || begun.user.ID != "" {
		problemOf(r, "invalid_request", "the sign-in was not begun, or took too long").writePage(w)
		return
	}
	tenant := p.tenant()
	user, exists := tenant.User(r.PostForm.Get("login"))
	if !exists || r.PostForm.Get("passwd") != directory.TestPassword {
		signInPage(w, p.keep(&begun), inWords(codePasswordWrong, "Error validating credentials due to invalid username or password."))
		return
	}
	if len(tenant.Principal.Scopes()) == 0 {
		problemOf(r, "consent_required", inWords(codeConsentMissing, "The user or administrator has not consented to use the application with "+
			"ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", directory.ClientID, tenant.Principal.DisplayName)).writePage(w)
		return
	}
	begun.user = user
	http.Redirect(w, r, backTo(&begun.request, url.Values{"code": {p.keep(&begun)}, "session_state": {rand.Text()}}), http.StatusFound)
}

// backTo is the address that returns the answer to the application.
func backTo(request *oidc.AuthRequest, answer url.Values) string {
	if request.State != "" {
		answer.Set("state", request.State)
	}
	separator := "?"
	if strings.Contains(request.RedirectURI, "?") {
		separator = "&"
	}
	return request.RedirectURI + separator + answer.Encode()
}
