package entra

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

// Paths below a tenant.
const (
	authorizePath = "/oauth2/v2.0/authorize"
	tokenPath     = "/oauth2/v2.0/token"
	keysPath      = "/discovery/v2.0/keys"
	loginPath     = "/login"
	versionPrefix = "/v2.0" // of the discovery document
)

// tenants serves what lies below a tenant's ID, in Entra's words.
func (p *provider) tenants() http.Handler {
	library := op.RegisterServer(&server{provider: p}, op.Endpoints{
		Authorization: op.NewEndpoint(authorizePath),
		Token:         op.NewEndpoint(tokenPath),
		JwksURI:       op.NewEndpoint(keysPath),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", p.now().UTC().Format(http.TimeFormat))
		tenant, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		path = "/" + path
		discovery := path == versionPrefix+oidc.DiscoveryEndpoint
		if !strings.EqualFold(tenant, directory.TenantID) {
			p.unknownTenant(w, r, tenant, path, discovery)
			return
		}
		if discovery {
			path = oidc.DiscoveryEndpoint
		}
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.URL.RawPath = path, ""
		switch path {
		case loginPath:
			p.login(w, r)
		case authorizePath:
			p.authorize(w, inner, library)
		default:
			p.answer(w, inner, library)
		}
	})
}

// answer puts the library's errors into Entra's words.
func (p *provider) answer(w http.ResponseWriter, r *http.Request, library http.Handler) {
	h := hold(library, r)
	if said, isError := h.refusal(r); isError {
		said.write(w, h.status)
		return
	}
	h.pass(w)
}

func (p *provider) unknownTenant(w http.ResponseWriter, r *http.Request, tenant, path string, discovery bool) {
	kind := "invalid_request"
	if discovery {
		kind = "invalid_tenant"
	}
	said := problemOf(r, kind, inWords(codeTenantUnknown, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are "+
		"signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions "+
		"for the tenant.", tenant))
	if path == authorizePath {
		said.writePage(w)
		return
	}
	said.write(w, http.StatusBadRequest)
}

// server is what the library asks.
type server struct {
	op.UnimplementedServer
	*provider
}

// metadata is the discovery document, with the members that Entra adds.
type metadata struct {
	*oidc.DiscoveryConfiguration
	CloudInstance string `json:"cloud_instance_name"`
	GraphHost     string `json:"msgraph_host"`
	// Simulated is for checks to repeat in their reports.
	Simulated string `json:"conformance.aiv.internal/simulated"`
}

// Discovery returns the discovery document.
func (s *server) Discovery(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	base := s.LoginURL + "/" + directory.TenantID
	return op.NewResponse(metadata{
		DiscoveryConfiguration: &oidc.DiscoveryConfiguration{
			Issuer:                            s.announcedIssuer(),
			AuthorizationEndpoint:             base + authorizePath,
			TokenEndpoint:                     base + tokenPath,
			JwksURI:                           base + keysPath,
			UserinfoEndpoint:                  s.GraphURL + "/oidc/userinfo",
			ScopesSupported:                   []string{"openid", "profile", "email", "offline_access"},
			ResponseTypesSupported:            []string{"code"},
			ResponseModesSupported:            []string{"query"},
			SubjectTypesSupported:             []string{"pairwise"},
			IDTokenSigningAlgValuesSupported:  []string{"RS256"},
			TokenEndpointAuthMethodsSupported: []oidc.AuthMethod{oidc.AuthMethodPost, oidc.AuthMethodBasic},
			ClaimsSupported:                   []string{"sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver"},
		},
		CloudInstance: strings.TrimPrefix(s.LoginURL, "https://"),
		GraphHost:     strings.TrimPrefix(s.GraphURL, "https://"),
		Simulated:     "Entra ID and Microsoft Graph are the lab's own, of one tenant",
	}), nil
}

// Keys returns the signing keys.
func (s *server) Keys(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(s.keys.published()), nil
}

// VerifyClient says whose the credentials are.
func (s *server) VerifyClient(_ context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	tenant := s.tenant()
	found, err := clientOf(tenant, r.Data.ClientID)
	if err != nil {
		return nil, err
	}
	right := []byte(s.Credential.Value)
	switch {
	case r.Data.ClientSecret == "":
		return nil, refused(http.StatusUnauthorized, oidc.ErrInvalidClient(), codeSecretMissing,
			"The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case s.Active(FaultSecretWrong), subtle.ConstantTimeCompare([]byte(r.Data.ClientSecret), right) != 1:
		return nil, refused(http.StatusUnauthorized, oidc.ErrInvalidClient(), codeSecretWrong,
			"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, "+
				"for a secret added to app '%s'.", directory.ClientID)
	case tenant.Application.Secret.End.Before(s.now()):
		return nil, refused(http.StatusUnauthorized, oidc.ErrInvalidClient(), codeSecretExpired,
			"The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: "+
				"https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", directory.ClientID)
	}
	return found, nil
}

func clientOf(tenant directory.Directory, id string) (client, error) {
	if tenant.Application == nil || !strings.EqualFold(id, tenant.Application.AppID) {
		return client{}, refused(http.StatusBadRequest, oidc.ErrUnauthorizedClient(), codeAppUnknown,
			"Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by "+
				"the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the "+
				"wrong tenant.", id, directory.TenantName)
	}
	return client{*tenant.Application}, nil
}

// tokens is a successful answer of the token endpoint.
type tokens struct {
	Type            string `json:"token_type"`
	Scope           string `json:"scope,omitempty"`
	ExpiresIn       int    `json:"expires_in"`
	ExtendedExpires int    `json:"ext_expires_in"`
	Access          string `json:"access_token"`
	ID              string `json:"id_token,omitempty"`
}

func newTokens(access string) tokens {
	seconds := int(lifetime/time.Second) - 1
	return tokens{Type: "Bearer", ExpiresIn: seconds, ExtendedExpires: seconds, Access: access}
}

// ClientCredentialsExchange gives the application a token of its own.
func (s *server) ClientCredentialsExchange(_ context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	// Scopes are separated by blanks; this grant takes one.
	scope := r.Form.Get("scope")
	identifier, isDefault := strings.CutSuffix(scope, "/.default")
	if !isDefault {
		return nil, refused(http.StatusBadRequest, oidc.ErrInvalidScope(), codeScopeNotDefault,
			"The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the "+
				"resource identifier (application ID URI).", scope)
	}
	target, known := s.resourceOf(identifier)
	if !known {
		return nil, refused(http.StatusBadRequest, &oidc.Error{ErrorType: "invalid_resource"}, codeResourceUnknown,
			"The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by "+
				"the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the "+
				"wrong tenant.", identifier, directory.TenantName)
	}
	access, err := s.appToken(s.tenant(), target)
	if err != nil {
		return nil, err
	}
	return op.NewResponse(newTokens(access)), nil
}

// CodeExchange gives the tokens of a sign-in.
func (s *server) CodeExchange(_ context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	done, known := s.take(r.Data.Code)
	if !known || done.user.ID == "" || done.request.RedirectURI != r.Data.RedirectURI {
		return nil, refused(http.StatusBadRequest, oidc.ErrInvalidGrant(), codeCodeUnknown,
			"The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
	}
	if challenge := done.request.CodeChallenge; challenge != "" &&
		!oidc.VerifyCodeChallenge(&oidc.CodeChallenge{Challenge: challenge, Method: done.request.CodeChallengeMethod}, r.Data.CodeVerifier) {
		return nil, refused(http.StatusBadRequest, oidc.ErrInvalidGrant(), codeChallengeMismatch,
			"The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	tenant := s.tenant()
	access, err := s.userToken(tenant, done.user)
	if err != nil {
		return nil, err
	}
	answer := newTokens(access)
	answer.Scope = strings.Join(append(tenant.Principal.Scopes(), "openid", "profile"), " ")
	answer.ID, err = s.idToken(tenant, done.user, done.request.Nonce)
	if err != nil {
		return nil, err
	}
	return op.NewResponse(answer), nil
}

// VerifyAuthRequest says which application asks for a sign-in, and whether its answer may go
// where it wants.
func (s *server) VerifyAuthRequest(_ context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	found, err := clientOf(s.tenant(), r.Data.ClientID)
	if err != nil {
		return nil, err
	}
	if err := op.ValidateAuthReqRedirectURI(found, r.Data.RedirectURI, r.Data.ResponseType); err != nil {
		return nil, refused(http.StatusBadRequest, oidc.ErrInvalidRequestRedirectURI(), codeRedirectUnknown,
			"The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the "+
				"redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to "+
				"https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this issue.", r.Data.RedirectURI, directory.ClientID)
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: found}, nil
}

// Authorize begins a sign-in. Nobody is signed in already.
func (s *server) Authorize(_ context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	if r.Form.Get("prompt") == oidc.PromptNone {
		return op.NewRedirect(backTo(r.Data, url.Values{
			"error": {"login_required"},
			"error_description": {inWords(codeLoginRequired, "A silent sign-in request was sent but no user is signed in. The cookies used to "+
				"represent the user's session were not sent in the request to Azure AD.")},
		})), nil
	}
	return op.NewRedirect(loginPath + "?ctx=" + s.keep(&flow{request: *r.Data})), nil
}
