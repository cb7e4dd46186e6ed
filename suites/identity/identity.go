// Package identity checks section 4, authentication and identity: the tenant of Entra ID,
// the application in it, its secret, redirect URI and permissions, and the groups of users.
// It only reads, as the application itself, and logs nobody in but a test user whose password
// is answered. It changes nothing in the directory.
package identity

import (
	"context"
	"errors"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

// lookLimit bounds one check.
const lookLimit = 90 * time.Second

// The checks share one token for Microsoft Graph and what they read with it.
var _ = check.Subsection("4", func() {
	check.Chain("one token", func() {
		entrance := &entrance{}
		check.Subsection("4.1", func() { registrationItems(entrance) })
		check.Subsection("4.2", func() { groupItems(entrance) })
	})
})

// entrance makes the way to the directory once.
type entrance struct {
	directory *directory
	err       error
}

// open ends the check where the answers do not name a directory that can be spoken to.
func (e *entrance) open() *directory {
	if e.directory == nil && e.err == nil {
		a := check.Answers()
		caFile := a.Entra.CAFile
		if caFile == "" {
			caFile = a.Certificates.CAFile
		}
		e.directory, e.err = newDirectory(a.Entra, caFile, a.Runner.Proxies, check.UserAgent)
		if e.err == nil && a.Entra.ClientSecret.IsSet() {
			e.directory.secret = func(ctx context.Context) (string, error) { return check.Secret(ctx, a.Entra.ClientSecret), nil }
		}
	}
	check.NoError(e.err, "read the answers")
	return e.directory
}

// confess records that the directory only stands for Entra ID, where its configuration says so.
func (e *entrance) confess(ctx context.Context) {
	if e.directory == nil || ctx.Err() != nil {
		return
	}
	_, _ = e.directory.discover(ctx) // item 4.1.3 tells what is wrong with it
	if said := e.directory.simulated; said != "" {
		check.Evidence("simulated", said)
	}
}

func registrationItems(e *entrance) {
	item := func(id string, prove func(ctx context.Context, d *directory, a answers.Entra) error) {
		check.Item(id, func(ctx context.Context, a answers.Entra) {
			ctx, cancel := context.WithTimeout(ctx, lookLimit)
			defer cancel()
			defer e.confess(ctx)
			check.NoError(prove(ctx, e.open(), a), "ask Entra ID")
		})
	}
	item("4.1.1", proveRegistration)
	item("4.1.2", proveClientID)
	item("4.1.3", proveTenant)
	item("4.1.4", proveSecret)
	item("4.1.5", proveSecretDate)
	item("4.1.6", proveRedirect)
	item("4.1.7.1", func(ctx context.Context, d *directory, a answers.Entra) error {
		return provePermission(ctx, d, userRead, a.Permissions.UserRead)
	})
	item("4.1.7.2", func(ctx context.Context, d *directory, a answers.Entra) error {
		return provePermission(ctx, d, groupMemberReadAll, a.Permissions.GroupMemberReadAll)
	})
	item("4.1.8", func(ctx context.Context, d *directory, a answers.Entra) error {
		all := check.Answers()
		if err := proveConsent(ctx, d, a.Permissions, all.Groups.Users.ObjectID); err != nil {
			return err
		}
		return proveLogin(ctx, d, a.RedirectURI, all.TestUsers, all.Groups)
	})
}

// proveRegistration says whether the tenant knows the application and lets users log in to it.
func proveRegistration(ctx context.Context, d *directory, a answers.Entra) error {
	if err := proveClientID(ctx, d, a); err != nil || d.secret == nil {
		return err
	}
	check.Step("read the registration")
	switch app, err := d.registration(ctx); {
	case err == nil:
		check.Evidence("name", app.DisplayName)
		check.Evidence("accounts", app.SignInAudience)
		if !app.Created.IsZero() {
			check.Evidence("created", app.Created.UTC().Format(time.DateOnly))
		}
	case isMissing(err):
		return finding.Failed("application "+d.clientID+" is registered in tenant "+d.tenant, "the tenant holds its service principal only: the registration is in another tenant",
			"it is a multi-tenant application of somebody else, who rules over its client secrets, redirect URIs and permissions", "register an application in this tenant (App registrations), and set entra.clientId and entra.clientSecret").Because(err)
	default:
		check.Evidence("registration", "cannot be read: "+words(err))
	}
	principal, err := d.servicePrincipal(ctx)
	if err != nil {
		return nil
	}
	check.Evidence("only for assigned users", principal.AssignmentRequired)
	return judgePrincipal(principal, d.clientID)
}

// proveClientID says whether the tenant knows the application.
func proveClientID(ctx context.Context, d *directory, a answers.Entra) error {
	check.Evidence("client ID", d.clientID)
	check.Step("ask tenant %s for application %s", d.tenant, d.clientID)
	how, err := d.recognise(ctx, a.RedirectURI)
	if err == nil {
		check.Evidence("seen by", how)
	}
	return err
}

// proveTenant loads the tenant's OpenID configuration and keys.
func proveTenant(ctx context.Context, d *directory, _ answers.Entra) error {
	check.Evidence("tenant ID", d.tenant)
	check.Step("load the tenant's OpenID configuration and keys")
	found, err := d.discover(ctx)
	if err != nil {
		return err
	}
	check.Evidence("issuer", found.Issuer)
	check.Evidence("signing keys", found.signingKeys)
	return nil
}

// proveSecret asks for a token with the secret and verifies it.
func proveSecret(ctx context.Context, d *directory, _ answers.Entra) error {
	check.Step("ask for a token")
	t, audiences, err := d.anyToken(ctx)
	if err != nil {
		return d.notIssued(ctx, err)
	}
	check.Evidence("token for", []string(t.claims.Audience))
	check.Evidence("token of", t.claims.Issuer)
	check.Evidence("token valid until", moment(t.claims.Expires.time()))
	if found, err := d.discover(ctx); err == nil {
		check.Evidence("clock of Entra ID", besideOurs(found.ahead))
		if err := judgeClock(found.ahead); err != nil {
			return err
		}
	}
	if err := d.judge(t, audiences...); err != nil {
		return err
	}
	check.Step("verify its signature")
	signature := t.header.Algorithm + ", by a key of the tenant"
	if err := d.verify(ctx, t); err != nil {
		if t.header.Nonce == "" {
			return err
		}
		signature = "not verified: only Microsoft Graph can verify tokens that are made for it"
	}
	check.Evidence("signature", signature)
	return nil
}

// proveSecretDate holds the secret's last day in the directory against the answer.
func proveSecretDate(ctx context.Context, d *directory, a answers.Entra) error {
	minDays := check.Answers().Runner.DaysLeft()
	check.Step("read the registration's secrets")
	app, err := d.registration(ctx)
	if err != nil {
		return d.secretDateUnread(err, a.SecretExpires, minDays)
	}
	secret, err := d.secret(ctx)
	if err != nil {
		return err
	}
	check.Evidence("secrets of the application", len(app.PasswordCredentials))
	credential, err := judgeSecretDate(app.PasswordCredentials, secret, a.SecretExpires, minDays, d.now())
	if credential.KeyID != "" {
		check.Evidence("secret", credential.String())
		check.Evidence("last day", moment(credential.End))
	}
	return err
}

// proveRedirect looks for the redirect URI in the registration, where that can be read, and
// tries it and another one.
func proveRedirect(ctx context.Context, d *directory, a answers.Entra) error {
	right, foreign := a.RedirectURI, unregistered(a.RedirectURI)
	check.Evidence("redirect URI", right)
	if err := judgeRedirectURI(right, check.Answers().DNS.Domain); err != nil {
		return err
	}
	listed := false
	if d.secret != nil {
		check.Step("read the registration's redirect URIs")
		app, err := d.registration(ctx)
		if err == nil {
			listed = true
			check.Evidence("registered", app.Web.RedirectURIs)
			if err := judgeRegistered(app, right); err != nil {
				return err
			}
		} else {
			check.Evidence("registered", "cannot be read: "+words(err))
		}
	}
	answer, err := try(ctx, d, right)
	if err == nil {
		err = judgeAccepted(answer, right)
	}
	if err != nil {
		return err
	}
	check.Evidence("authorization request", "accepted")
	if answer, err = try(ctx, d, foreign); err != nil {
		return err
	}
	how, err := judgeRefused(answer, foreign, listed)
	if err == nil {
		check.Evidence("with another redirect URI", how)
	}
	return err
}

// try makes an authorization request.
func try(ctx context.Context, d *directory, redirectURI string) (authorization, error) {
	check.Step("try an authorization request with %s", redirectURI)
	answer, err := d.authorize(ctx, redirectURI)
	if err != nil {
		return answer, dependent(err, "an authorization request is answered", loginKey, "4.1.3")
	}
	return answer, nil
}

// provePermission says whether the permission is requested and granted.
func provePermission(ctx context.Context, d *directory, p permission, form answers.EntraPermission) error {
	check.Step("read what the application may do")
	a, err := d.access(ctx)
	if err != nil {
		return d.unread(err, "the application was granted "+p.in(form), "")
	}
	recordAccess(a)
	return d.judgePermission(a, p, form)
}

func recordAccess(a *access) {
	if a.requestedErr == nil {
		check.Evidence("requested", a.requestedNames())
	} else {
		check.Evidence("requested", "cannot be read: "+words(a.requestedErr))
	}
	check.Evidence("permissions in the token", a.roles)
	if a.grantsErr == nil {
		check.Evidence("consented for all users", a.everybody)
	}
}

// proveConsent says whether an administrator consented, and whether the application can list
// a group's members with that.
func proveConsent(ctx context.Context, d *directory, answered answers.EntraPermissions, group string) error {
	check.Step("read what was consented to")
	a, err := d.access(ctx)
	if err != nil {
		return d.unread(err, "an administrator consented to the application's permissions", "")
	}
	recordAccess(a)
	recordGroupsClaim(ctx, d)
	if err := d.judgeConsent(a, wantedOf(a, answered)); err != nil {
		return err
	}
	granted, err := a.consentTo(groupMemberReadAll, answers.Application)
	if err != nil || granted != grantedToAll || group == "" {
		check.Evidence("groups listed", "not tried: that takes GroupMember.Read.All as an application permission, and groups.users.objectId")
		return nil
	}
	check.Step("list the members of group %s", group)
	how, err := d.judgeListing(ctx, group)
	if err == nil {
		check.Evidence("groups listed", how)
	}
	return err
}

// proveLogin logs a test user in, where one is answered with a password and a login takes no
// browser, and looks for the user's groups in the ID token.
func proveLogin(ctx context.Context, d *directory, redirectURI string, users answers.TestUsers, groups answers.Groups) error {
	user, wanted, found := candidate(users, groups)
	if !found || redirectURI == "" {
		check.Evidence("login of a test user", "not tried: that takes a password in testUsers.users, and entra.redirectUri")
		return nil
	}
	password := check.Secret(ctx, user.Password)
	check.Step("log in as %s", user.Name)
	t, err := d.logIn(ctx, redirectURI, user.Name, password)
	switch refusal := asLogin(err); {
	case err == nil:
	case errors.Is(err, errBrowser), errors.Is(err, errElsewhere):
		check.Evidence("login of a test user", "not tried to the end: "+err.Error())
		return nil
	case refusal != nil && finding.As(err) == nil && remedies[refusal.code].item == "4.1.8":
		if a, err := d.access(ctx); err == nil && a.requestedErr == nil && !a.requests(userRead, answers.Delegated) {
			check.Evidence("login of a test user", elsewhere("4.1.7.1", refusal).Error())
			return nil
		}
		return refusal.finding("test user " + user.Name + " can log in")
	case finding.As(err) != nil:
		return err
	default:
		f := explain(err, "test user "+user.Name+" can log in", loginKey)
		check.Warn("test user "+user.Name+" could not log in: "+f.Found, f.Why, f.Do)
		return nil
	}
	ids, how, err := d.groupsOf(ctx, t)
	if err != nil {
		return d.unread(err, "the groups of "+user.Name+" can be read", toReadMemberships)
	}
	check.Evidence("login of "+user.Name, how)
	return judgeGroups(user.Name, ids, wanted, how)
}
