package entra

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

// client is an application as the library wants to know it.
type client struct{ directory.Application }

func (c client) GetID() string                       { return c.AppID }
func (c client) RedirectURIs() []string              { return c.Application.RedirectURIs }
func (c client) PostLogoutRedirectURIs() []string    { return nil }
func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodPost }
func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c client) IDTokenLifetime() time.Duration      { return lifetime }
func (c client) LoginURL(string) string              { return loginPath }
func (c client) DevMode() bool                       { return false }
func (c client) ClockSkew() time.Duration            { return 0 }

// IsScopeAllowed is asked about scopes that OpenID does not define: those of Graph.
func (c client) IsScopeAllowed(string) bool { return true }

func (c client) IDTokenUserinfoClaimsAssertion() bool { return false }

func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeClientCredentials}
}

func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string { return unrestricted }

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return unrestricted }

func unrestricted(scopes []string) []string { return scopes }
