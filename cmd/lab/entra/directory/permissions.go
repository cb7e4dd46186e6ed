package directory

import "slices"

// Microsoft Graph as every tenant knows it.
const (
	GraphAppID       = "00000003-0000-0000-c000-000000000000"
	GraphPrincipalID = "4c8e2d90-a7b3-4f15-9e06-3d7a1b5c8f42"
)

// Kind tells application permissions from delegated ones, in Graph's words.
type Kind string

// The kinds of a permission.
const (
	Role  Kind = "Role"
	Scope Kind = "Scope"
)

// Permission is one of Microsoft Graph's.
type Permission struct {
	ID, Name string
	Kind     Kind
}

// The permissions that the lab's application may have. The IDs are Microsoft's, the same in
// every tenant: https://learn.microsoft.com/graph/permissions-reference
var (
	UserRead           = Permission{"e1fe6dd8-ba31-4d61-89e7-88639da4683d", "User.Read", Scope}
	GroupMemberReadAll = Permission{"98830695-27a2-44f7-8c18-0c3ebc9698f6", "GroupMember.Read.All", Role}
	ApplicationReadAll = Permission{"9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "Application.Read.All", Role}
	GrantReadAll       = Permission{"81b4724a-58aa-41c1-8a55-84ef97466587", "DelegatedPermissionGrant.Read.All", Role}
	// GroupMemberReadAllDelegated is the same as GroupMemberReadAll for a signed-in user.
	GroupMemberReadAllDelegated = Permission{"bc024368-1153-4739-b217-4326f2e966d0", "GroupMember.Read.All", Scope}
)

// Permissions are those of Graph's that the lab knows.
func Permissions() []Permission {
	return []Permission{UserRead, GroupMemberReadAll, GroupMemberReadAllDelegated, ApplicationReadAll, GrantReadAll}
}

func names(permissions []Permission, kind Kind) []string {
	found := []string{}
	for _, permission := range permissions {
		if permission.Kind == kind {
			found = append(found, permission.Name)
		}
	}
	return found
}

func without(permissions []Permission, lost ...Permission) []Permission {
	return slices.DeleteFunc(slices.Clone(permissions), func(p Permission) bool { return slices.Contains(lost, p) })
}
