package graph

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

func listApplications(r *request) (answer, *problem) {
	return r.many("applications", r.applications())
}

func getApplication(r *request) (answer, *problem) { return r.find("applications", r.applications()) }

func listPrincipals(r *request) (answer, *problem) {
	return r.many("servicePrincipals", r.principals())
}

func getPrincipal(r *request) (answer, *problem) {
	return r.find("servicePrincipals", r.principals())
}

func listAssignments(r *request) (answer, *problem) {
	principal, refused := r.pick(r.principals())
	if refused != nil {
		return nil, refused
	}
	return r.many("appRoleAssignments", r.assignments(principal["id"]))
}

func listPrincipalGrants(r *request) (answer, *problem) {
	principal, refused := r.pick(r.principals())
	if refused != nil {
		return nil, refused
	}
	of := slices.DeleteFunc(r.grants(), func(o object) bool { return o["clientId"] != principal["id"] })
	return r.many("oauth2PermissionGrants", of)
}

func listGrants(r *request) (answer, *problem) { return r.many("oauth2PermissionGrants", r.grants()) }

func listGroups(r *request) (answer, *problem) { return r.many("groups", groups(r.Groups)) }

func getGroup(r *request) (answer, *problem) { return r.find("groups", groups(r.Groups)) }

func listMembers(r *request) (answer, *problem) {
	group, known := r.Group(r.keys[0])
	if !known {
		return nil, notFound(r.keys[0])
	}
	return r.many("directoryObjects", r.members(group))
}

func countMembers(r *request) (answer, *problem) {
	group, known := r.Group(r.keys[0])
	switch {
	case !known:
		return nil, notFound(r.keys[0])
	case !strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual"):
		return nil, &problem{400, "Request_BadRequest", "$count is not currently supported."}
	}
	return count(len(group.Members)), nil
}

func listMemberOf(r *request) (answer, *problem) {
	user, known := r.User(r.keys[0])
	if !known {
		return nil, notFound(r.keys[0])
	}
	return r.many("directoryObjects", groups(r.GroupsOf(user.ID)))
}

func getMemberObjects(r *request) (answer, *problem) {
	user, known := r.User(r.keys[0])
	if !known {
		return nil, notFound(r.keys[0])
	}
	ids := []string{}
	for _, group := range r.GroupsOf(user.ID) {
		ids = append(ids, group.ID)
	}
	return object{"@odata.context": r.context("Collection(Edm.String)"), "value": ids}, nil
}

// find answers with the object that the path names.
func (r *request) find(of string, all []object) (answer, *problem) {
	found, refused := r.pick(all)
	if refused != nil {
		return nil, refused
	}
	return r.one(of, found)
}

// pick returns the object that the path names by its ID or by appId=value.
func (r *request) pick(all []object) (object, *problem) {
	property, value, isAlternate := strings.Cut(r.keys[0], "=")
	if !isAlternate {
		property, value = "id", r.keys[0]
	}
	for _, o := range all {
		if text, isText := o[property].(string); isText && strings.EqualFold(text, value) {
			return o, nil
		}
	}
	return nil, notFound(value)
}

func (r *request) applications() []object {
	if r.Application == nil {
		return nil
	}
	a := *r.Application
	access := []object{}
	for _, permission := range a.Required {
		access = append(access, object{"id": permission.ID, "type": string(permission.Kind)})
	}
	required := []object{}
	if len(access) > 0 {
		required = append(required, object{"resourceAppId": directory.GraphAppID, "resourceAccess": access})
	}
	return []object{{
		"id": a.ObjectID, "appId": a.AppID, "displayName": a.DisplayName, "signInAudience": "AzureADMyOrg",
		"groupMembershipClaims": "SecurityGroup", "identifierUris": []string{}, "keyCredentials": []any{},
		"api": object{"requestedAccessTokenVersion": 2},
		"web": object{"redirectUris": a.RedirectURIs, "homePageUrl": nil, "logoutUrl": nil},
		"spa": object{"redirectUris": []string{}}, "publicClient": object{"redirectUris": []string{}},
		"requiredResourceAccess": required,
		"passwordCredentials": []object{{
			"customKeyIdentifier": nil, "displayName": a.Secret.DisplayName, "keyId": a.Secret.KeyID, "hint": a.Secret.Hint, "secretText": nil,
			"startDateTime": stamp(a.Secret.Start), "endDateTime": stamp(a.Secret.End),
		}},
	}}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// principals are the tenant's own application and Graph itself, which is in every tenant.
func (r *request) principals() []object {
	roles, scopes := []object{}, []object{}
	for _, permission := range directory.Permissions() {
		described := object{"id": permission.ID, "value": permission.Name, "isEnabled": true}
		if permission.Kind == directory.Role {
			roles = append(roles, described)
		} else {
			scopes = append(scopes, described)
		}
	}
	all := []object{{
		"id": directory.GraphPrincipalID, "appId": directory.GraphAppID, "displayName": "Microsoft Graph", "accountEnabled": true,
		"servicePrincipalType": "Application", "appRoles": roles, "oauth2PermissionScopes": scopes,
	}}
	if r.Application != nil {
		all = append(all, object{
			"id": r.Principal.ObjectID, "appId": r.Principal.AppID, "displayName": r.Principal.DisplayName, "accountEnabled": true,
			"servicePrincipalType": "Application", "appRoleAssignmentRequired": false, "appRoles": []object{}, "oauth2PermissionScopes": []object{},
		})
	}
	return all
}

// assignments are the application permissions that were consented to.
func (r *request) assignments(principalID any) []object {
	all := []object{}
	if r.Application == nil || principalID != r.Principal.ObjectID {
		return all
	}
	for _, permission := range r.Principal.Consented {
		if permission.Kind == directory.Role {
			all = append(all, object{
				"id": identifier(permission.ID), "appRoleId": permission.ID, "principalId": r.Principal.ObjectID, "principalType": "ServicePrincipal",
				"principalDisplayName": r.Principal.DisplayName, "resourceId": directory.GraphPrincipalID, "resourceDisplayName": "Microsoft Graph",
			})
		}
	}
	return all
}

// grants are the delegated permissions that an administrator consented to for everybody.
func (r *request) grants() []object {
	scopes := r.Principal.Scopes()
	if r.Application == nil || len(scopes) == 0 {
		return []object{}
	}
	return []object{{
		"id": identifier(r.Principal.ObjectID), "clientId": r.Principal.ObjectID, "consentType": "AllPrincipals", "principalId": nil,
		"resourceId": directory.GraphPrincipalID, "scope": strings.Join(scopes, " "),
	}}
}

// identifier makes an ID of the kind that is no GUID.
func identifier(of string) string {
	digest := sha256.Sum256([]byte(of))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

func groups(all []directory.Group) []object {
	found := []object{}
	for _, g := range all {
		found = append(found, object{
			"@odata.type": "#microsoft.graph.group", "id": g.ID, "displayName": g.Name, "description": nil,
			"securityEnabled": true, "mailEnabled": false, "groupTypes": []string{}, "membershipRule": nil,
		})
	}
	return found
}

// members are shown with no more than their object IDs to those who may not read users.
func (r *request) members(group directory.Group) []object {
	all := []object{}
	for _, id := range group.Members {
		member := object{"@odata.type": "#microsoft.graph.user", "id": id, "displayName": nil, "userPrincipalName": nil}
		if user, known := r.User(id); known && r.token.mayAny(readUsers) {
			member["displayName"], member["userPrincipalName"] = user.Name, user.PrincipalName
		}
		all = append(all, member)
	}
	return all
}
