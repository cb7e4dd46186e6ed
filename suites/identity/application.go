package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// application is an app registration (https://learn.microsoft.com/graph/api/resources/application).
type application struct {
	ID             string    `json:"id"`
	AppID          string    `json:"appId"`
	DisplayName    string    `json:"displayName"`
	Created        time.Time `json:"createdDateTime"`
	SignInAudience string    `json:"signInAudience"`
	// GroupMembershipClaims says which groups tokens of users list; "" for none.
	GroupMembershipClaims string `json:"groupMembershipClaims"`
	OptionalClaims        struct {
		IDToken []optionalClaim `json:"idToken"`
	} `json:"optionalClaims"`
	Web                 platform
	SPA                 platform
	PublicClient        platform
	PasswordCredentials []passwordCredential
	Required            []requiredAccess `json:"requiredResourceAccess"`
}

type platform struct{ RedirectURIs []string }

// passwordCredential is a client secret without its value.
type passwordCredential struct {
	KeyID       string `json:"keyId"`
	DisplayName string `json:"displayName"`
	// Hint is the first three characters of the value. It is part of a secret: it must not
	// be reported.
	Hint string    `json:"hint"`
	End  time.Time `json:"endDateTime"`
}

func (c passwordCredential) String() string {
	if c.DisplayName != "" {
		return fmt.Sprintf("%q (%s)", c.DisplayName, c.KeyID)
	}
	return c.KeyID
}

type requiredAccess struct {
	Resource string `json:"resourceAppId"`
	Access   []struct {
		ID string `json:"id"`
		// Type is Scope for a delegated permission and Role for an application's.
		Type string `json:"type"`
	} `json:"resourceAccess"`
}

// servicePrincipal is an application in one tenant.
type servicePrincipal struct {
	ID      string `json:"id"`
	Enabled *bool  `json:"accountEnabled"`
	// AssignmentRequired keeps users out who are not assigned.
	AssignmentRequired bool `json:"appRoleAssignmentRequired"`
	// Scopes are the delegated permissions that it offers.
	Scopes []struct{ ID, Value string } `json:"oauth2PermissionScopes"`
}

// Application permissions that reading takes, for those who do not grant them.
const (
	toReadApplications = "Application.Read.All"
	toReadGrants       = "DelegatedPermissionGrant.Read.All"
	toReadGroups       = "GroupMember.Read.All"
	// Either reads the groups of a user; the first is the checklist's.
	toReadMemberships = toReadGroups + " (or User.Read.All)"
)

// registration reads the app registration.
func (d *directory) registration(ctx context.Context) (*application, error) {
	return d.registered.get(ctx, func() (*application, error) {
		return read[application](ctx, d, "applications(appId='"+d.clientID+"')",
			selecting("id,appId,displayName,createdDateTime,signInAudience,groupMembershipClaims,optionalClaims,web,spa,publicClient,passwordCredentials,requiredResourceAccess"))
	})
}

// servicePrincipal reads what the application is in this tenant.
func (d *directory) servicePrincipal(ctx context.Context) (*servicePrincipal, error) {
	return d.principal.get(ctx, func() (*servicePrincipal, error) {
		return read[servicePrincipal](ctx, d, "servicePrincipals(appId='"+d.clientID+"')", selecting("id,accountEnabled,appRoleAssignmentRequired"))
	})
}

// provesApplication are codes that Entra ID gives only for an application that it knows.
var provesApplication = []int{codeSecretWrong, codeSecretExpired, codeSecretNotAllowed, codeTokenForItself, codeNotAssigned, codeNoSession, codeRedirectUnknown, codeNoRedirects, 700027, 65001, 650056, 50105, 53003}

// deniesApplication are codes that say that there is no application to be used.
var deniesApplication = []int{codeAppUnknown, codeAppDisabled, codeAppNotInstalled}

// recognise returns how the tenant was seen to know the application.
func (d *directory) recognise(ctx context.Context, redirectURI string) (string, error) {
	return d.known.get(ctx, func() (string, error) {
		expected := "tenant " + d.tenant + " knows application " + d.clientID
		how, err := d.recogniseBy(ctx, redirectURI)
		code := codeOf(err)
		switch {
		case err == nil:
			return how, nil
		case slices.Contains(provesApplication, code):
			return fmt.Sprintf("the tenant knows it: it answers with AADSTS%d, which is about something else", code), nil
		case slices.Contains(deniesApplication, code):
			return "", asLogin(err).finding(expected)
		case itemOf(err) == "4.1.3":
			return "", dependent(err, expected, loginKey, "4.1.3")
		}
		f := explain(err, expected, loginKey)
		f.Undecided = true
		return "", f
	})
}

// recogniseBy asks for a token where there is a secret to ask with, and for a login else.
func (d *directory) recogniseBy(ctx context.Context, redirectURI string) (string, error) {
	if d.secret != nil {
		_, err := d.ownToken(ctx)
		return "the tenant issued a token to it", err
	}
	answer, err := d.authorize(ctx, redirectURI)
	switch {
	case err != nil:
		return "", err
	case answer.refusal != nil:
		return "", answer.refusal
	case answer.goesTo(redirectURI):
		return "the tenant sends its users on to " + redirectURI, nil
	}
	return "", finding.NotDecided("Entra ID says whether it knows application "+d.clientID, "it asks for a login first", "it tells nothing to those who are not logged in", "set entra.clientSecret")
}

// judgePrincipal says whether users can log in to the application at all. It needs a look at
// the directory; where that is not allowed, nothing is judged.
func judgePrincipal(p *servicePrincipal, clientID string) error {
	if p.Enabled != nil && !*p.Enabled {
		known := remedies[codeAppDisabled]
		return finding.Failed("application "+clientID+" is enabled in the tenant", "its service principal is disabled: nobody can log in", known.why, known.do)
	}
	return nil
}

const day = 24 * time.Hour

// judgeSecretDate holds a client secret's end against the answer and the calendar. It
// returns the credential that the secret seems to be.
func judgeSecretDate(credentials []passwordCredential, secret string, answered answers.Date, minDays int, now time.Time) (passwordCredential, error) {
	expected := fmt.Sprintf("the client secret ends on %s, at least %d days from now", answered, minDays)
	candidates := candidatesOf(credentials, secret, now)
	if len(candidates) == 0 {
		return passwordCredential{}, finding.NotDecided(expected, fmt.Sprintf("none of the application's %d client secrets begins as this one does", len(credentials)),
			"the secret belongs to another application, although a token was issued for it, or the directory is not up to date", "compare the secrets by hand (Certificates & secrets)")
	}
	credential, last := candidates[0], candidates[len(candidates)-1]
	if credential.End.UTC().Format(time.DateOnly) != last.End.UTC().Format(time.DateOnly) {
		return passwordCredential{}, finding.NotDecided(expected, fmt.Sprintf("%d client secrets of the application may be this one: the first ends on %s, the last on %s", len(candidates), credential.End.UTC().Format(time.DateOnly), last.End.UTC().Format(time.DateOnly)),
			"the directory tells them apart by how they begin, and does not know that of secrets which older tools made", "delete those that are not used (Certificates & secrets), or compare by hand")
	}
	left := credential.End.Sub(now)
	end := fmt.Sprintf("client secret %s ends on %s", credential, credential.End.UTC().Format(time.DateOnly))
	switch {
	case left <= 0:
		return credential, finding.Failed(expected, end+": it has expired", remedies[codeSecretExpired].why, "make a new client secret, and set what entra.clientSecret refers to and entra.secretExpires")
	case left < time.Duration(minDays)*day:
		return credential, finding.Failed(expected, fmt.Sprintf("%s, in %.0f days", end, left.Hours()/24), "it was not renewed yet: nobody can log in from that day on",
			"make a new client secret (Certificates & secrets), and set what entra.clientSecret refers to and entra.secretExpires")
	case !answered.Includes(credential.End):
		return credential, finding.Failed(expected, end, "the answer is out of date, or meant for another secret", "set entra.secretExpires: "+credential.End.UTC().Format(time.DateOnly))
	}
	return credential, nil
}

// candidatesOf returns the credentials that the secret may be, the first to end first. They
// are told apart by the secret's first characters; those that lack them count only where none
// fits. The secret was good for a token: it is none that has expired, where another remains.
func candidatesOf(credentials []passwordCredential, secret string, now time.Time) []passwordCredential {
	only := func(all []passwordCredential, fits func(passwordCredential) bool) []passwordCredential {
		return slices.DeleteFunc(slices.Clone(all), func(c passwordCredential) bool { return !fits(c) })
	}
	candidates := only(credentials, func(c passwordCredential) bool { return c.Hint != "" && strings.HasPrefix(secret, c.Hint) })
	if len(candidates) == 0 {
		candidates = only(credentials, func(c passwordCredential) bool { return c.Hint == "" })
	}
	if valid := only(candidates, func(c passwordCredential) bool { return c.End.After(now) }); len(valid) > 0 {
		candidates = valid
	}
	slices.SortFunc(candidates, func(a, b passwordCredential) int { return a.End.Compare(b.End) })
	return candidates
}

// judgeAnsweredDate judges by the answer alone, where the directory cannot be read.
func judgeAnsweredDate(answered answers.Date, minDays int, now time.Time) error {
	if left := answered.End().Sub(now); left < time.Duration(minDays)*day {
		return finding.Failed(fmt.Sprintf("the client secret ends at least %d days from now", minDays), fmt.Sprintf("by the answers file it ends on %s, in %.0f days", answered, max(left.Hours()/24, 0)),
			"it was not renewed yet, or the answer is out of date", "make a new client secret (Certificates & secrets), and set what entra.clientSecret refers to and entra.secretExpires")
	}
	return nil
}

// secretDateUnread returns the finding where the directory does not tell the secret's last
// day: what Entra ID or the answer itself say of it may still decide.
func (d *directory) secretDateUnread(err error, answered answers.Date, minDays int) error {
	expected := fmt.Sprintf("the client secret ends on %s, at least %d days from now", answered, minDays)
	if e := asLogin(err); e != nil && e.code == codeSecretExpired {
		return e.finding(expected)
	}
	if err := judgeAnsweredDate(answered, minDays, d.now()); err != nil {
		return err
	}
	return d.unread(err, expected, toReadApplications)
}
