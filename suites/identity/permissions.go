package identity

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// graphAppID is Microsoft Graph's own application ID, in every tenant of every cloud.
const graphAppID = "00000003-0000-0000-c000-000000000000"

// permission is one of Microsoft Graph's
// (https://learn.microsoft.com/graph/permissions-reference).
type permission struct {
	name string
	// The permission's IDs in its two forms; "" for a form that it does not have.
	delegated, application string
}

var (
	userRead           = permission{"User.Read", "e1fe6dd8-ba31-4d61-89e7-88639da4683d", ""}
	groupMemberReadAll = permission{"GroupMember.Read.All", "bc024368-1153-4739-b217-4326f2e966d0", "98830695-27a2-44f7-8c18-0c3ebc9698f6"}
)

// namesOfPermissions makes lists of permissions readable.
var namesOfPermissions = map[string]string{
	userRead.delegated:                     userRead.name,
	groupMemberReadAll.delegated:           groupMemberReadAll.name,
	groupMemberReadAll.application:         groupMemberReadAll.name,
	"9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30": "Application.Read.All",
	"7ab1d382-f21e-4acd-a863-ba3e13f7da61": "Directory.Read.All",
	"df021288-bdef-4463-88db-98f22de89214": "User.Read.All",
	"5b567255-7703-4780-807c-7be8301ae99b": "Group.Read.All",
	"81b4724a-58aa-41c1-8a55-84ef97466587": "DelegatedPermissionGrant.Read.All",
}

func (p permission) id(form answers.EntraPermission) string {
	if form == answers.Application {
		return p.application
	}
	return p.delegated
}

func (p permission) in(form answers.EntraPermission) string {
	return p.name + " (" + string(form) + ")"
}

// The types of requested permissions in an app registration.
const (
	scopeType = "Scope"
	roleType  = "Role"
)

func typeOf(form answers.EntraPermission) string {
	if form == answers.Application {
		return roleType
	}
	return scopeType
}

type appRoleAssignment struct {
	Role string `json:"appRoleId"`
}

// permissionGrant is consent to delegated permissions.
type permissionGrant struct {
	// ConsentType is AllPrincipals for an administrator's consent for everybody.
	ConsentType string `json:"consentType"`
	Scope       string `json:"scope"`
	Resource    string `json:"resourceId"`
}

// access is what the application asks for and what it was given. Where a part could not be
// read, its error says why.
type access struct {
	// requested holds "Type ID" of Microsoft Graph's permissions in the registration.
	requested    []string
	requestedErr error
	// roles are the application permissions that the token holds.
	roles []string
	// assigned are the IDs of the application permissions that an administrator consented to.
	assigned    []string
	assignedErr error
	// everybody and somebody are the delegated permissions that were consented to for all
	// users, and for single ones.
	everybody, somebody []string
	grantsErr           error
	// delegatedNames are the names of Microsoft Graph's delegated permissions by ID; nil where
	// nothing was consented to.
	delegatedNames map[string]string
}

// access reads what can be read; its error is that of the token.
func (d *directory) access(ctx context.Context) (*access, error) {
	t, err := d.graphToken(ctx)
	if err != nil {
		return nil, err
	}
	a := &access{roles: t.claims.Roles}
	app, err := d.registration(ctx)
	if a.requestedErr = err; err == nil {
		for _, resource := range app.Required {
			for _, one := range resource.Access {
				if resource.Resource == graphAppID {
					a.requested = append(a.requested, one.Type+" "+one.ID)
				}
			}
		}
	}
	principal, err := d.principalID(ctx, t)
	if err != nil {
		a.assignedErr, a.grantsErr = err, err
		return a, nil
	}
	assignments, err := d.assigned.get(ctx, func() ([]appRoleAssignment, error) {
		return list[appRoleAssignment](ctx, d, "servicePrincipals/"+principal+"/appRoleAssignments", nil, nil)
	})
	a.assignedErr = err
	for _, one := range assignments {
		a.assigned = append(a.assigned, one.Role)
	}
	granted, err := d.granted.get(ctx, func() (consents, error) { return d.consents(ctx, principal) })
	a.grantsErr, a.delegatedNames = err, granted.names
	for _, grant := range granted.grants {
		scopes := strings.Fields(grant.Scope)
		if grant.ConsentType == "AllPrincipals" {
			a.everybody = append(a.everybody, scopes...)
		} else {
			a.somebody = append(a.somebody, scopes...)
		}
	}
	return a, nil
}

// principalID returns the object ID of the application's service principal: a token of the
// application itself holds it, and the directory knows it.
func (d *directory) principalID(ctx context.Context, t *token) (string, error) {
	if t.claims.Object != "" {
		return t.claims.Object, nil
	}
	principal, err := d.servicePrincipal(ctx)
	if err != nil {
		return "", err
	}
	return principal.ID, nil
}

// consents is what was consented to of Microsoft Graph's delegated permissions, and the names
// of all of these by ID.
type consents struct {
	grants []permissionGrant
	names  map[string]string
}

// consents leaves out other services, which may have permissions of the same name.
func (d *directory) consents(ctx context.Context, principal string) (consents, error) {
	grants, err := list[permissionGrant](ctx, d, "oauth2PermissionGrants", url.Values{"$filter": {"clientId eq '" + principal + "'"}}, nil)
	if err != nil || len(grants) == 0 {
		return consents{}, err
	}
	graph, err := read[servicePrincipal](ctx, d, "servicePrincipals(appId='"+graphAppID+"')", selecting("id,oauth2PermissionScopes"))
	if err != nil {
		return consents{}, err
	}
	names := map[string]string{}
	for _, scope := range graph.Scopes {
		names[scope.ID] = scope.Value
	}
	return consents{slices.DeleteFunc(grants, func(g permissionGrant) bool { return g.Resource != "" && g.Resource != graph.ID }), names}, nil
}

// requests says whether the registration asks for the permission; false, too, where it could
// not be read.
func (a *access) requests(p permission, form answers.EntraPermission) bool {
	return p.id(form) != "" && slices.Contains(a.requested, typeOf(form)+" "+p.id(form))
}

// requestedNames is for people.
func (a *access) requestedNames() string {
	var names []string
	for _, one := range a.requested {
		kind, id, _ := strings.Cut(one, " ")
		form := answers.Delegated
		if kind == roleType {
			form = answers.Application
		}
		names = append(names, a.named(id).in(form))
	}
	if len(names) == 0 {
		return "none of Microsoft Graph's"
	}
	return strings.Join(names, ", ")
}

// named returns the permission of an ID, called by that where its name is not known.
func (a *access) named(id string) permission {
	name := a.delegatedNames[id]
	if name == "" {
		name = namesOfPermissions[id]
	}
	if name == "" {
		name = id
	}
	return permission{name, id, id}
}

// consent is how far a permission is granted.
type consent int

const (
	notGranted consent = iota
	grantedToSome
	grantedToAll
)

// consentTo says how far the permission is granted; an error where that cannot be read.
func (a *access) consentTo(p permission, form answers.EntraPermission) (consent, error) {
	holds := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, p.name) })
	}
	switch {
	case form == answers.Application && holds(a.roles):
		return grantedToAll, nil
	case form == answers.Application && a.assignedErr == nil && slices.Contains(a.assigned, p.application):
		return notGranted, finding.NotDecided(p.in(form)+" in the token", "an administrator consented, but the token does not hold it", "consent takes minutes until tokens show it", "run it again in some minutes")
	case form == answers.Application:
		return notGranted, nil
	case a.grantsErr != nil:
		return notGranted, a.grantsErr
	case a.delegatedNames != nil && a.delegatedNames[p.delegated] == "" && p.name == p.delegated:
		return notGranted, finding.NotDecided("Microsoft Graph offers the delegated permission "+p.name, "it names none with this ID", "the registration requests one that was withdrawn, or the directory hides it", "remove the permission (API permissions), or look by hand")
	case holds(a.everybody):
		return grantedToAll, nil
	case holds(a.somebody):
		return grantedToSome, nil
	}
	return notGranted, nil
}

const consentAdvice = "have an administrator grant admin consent (API permissions, Grant admin consent)"

// judgePermission says whether the application asks for the permission in that form and was
// given it.
func (d *directory) judgePermission(a *access, p permission, form answers.EntraPermission) error {
	expected := "the application requests " + p.in(form) + " of Microsoft Graph, and was granted it"
	if p.id(form) == "" {
		return finding.Failed(expected, p.name+" exists as a delegated permission only", "the answer names a form that there is not", "set it to delegated in the answers file")
	}
	if a.requestedErr == nil && !a.requests(p, form) {
		why := "it was not added to the application"
		for _, other := range []answers.EntraPermission{answers.Delegated, answers.Application} {
			if a.requests(p, other) {
				why = "it was added in its other form, " + string(other)
			}
		}
		return finding.Failed(expected, "the registration requests "+a.requestedNames(), why, "add "+p.in(form)+" (API permissions, Microsoft Graph) and grant admin consent")
	}
	granted, err := a.consentTo(p, form)
	switch {
	case err != nil:
		return d.unread(err, expected, toReadConsent(err))
	case granted == notGranted && form == answers.Application:
		return finding.Failed(expected, "a token of the application holds "+listed(a.roles), "no administrator consented to it", consentAdvice)
	case granted == notGranted:
		return finding.Failed(expected, "consented to: "+listed(append(slices.Clone(a.everybody), a.somebody...)), "nobody consented to it", consentAdvice)
	}
	return nil
}

func listed(permissions []string) string {
	if len(permissions) == 0 {
		return "no permission"
	}
	return strings.Join(permissions, ", ")
}

// judgeListing says whether the application really reads who is in a group with the
// permission that its token holds.
func (d *directory) judgeListing(ctx context.Context, group string) (string, error) {
	expected := "a token with " + groupMemberReadAll.name + " lists the members of group " + group
	members, err := d.membersOf(ctx, group)
	switch {
	case err == nil:
		return fmt.Sprintf("%d members of group %s", len(members), group), nil
	case isForbidden(err) && asGraph(err).code == "Authorization_RequestDenied":
		return "", finding.Failed(expected, short(err.Error()), "consent was withdrawn meanwhile, or the group hides its members", consentAdvice).Because(err)
	case isMissing(err):
		return "", finding.NotDecided(expected, "no group has this ID", "", "see item 4.2.1.1").Because(err)
	}
	return "", d.unread(err, expected, toReadGroups)
}
