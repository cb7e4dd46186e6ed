package graph

import (
	"net/http"
	"strings"

	"aiv.internal/conformance/cmd/lab/entra/directory"
)

// request is one that may be answered.
type request struct {
	*http.Request
	directory.Directory
	token Token
	// keys are what stands in the path for the stars of the route: an object ID, or
	// property=value for an alternate key.
	keys []string
	base string
}

// route is one address of Graph.
type route struct {
	method, path string
	// permissions, any of which is enough, as Graph's reference lists them for each address.
	permissions []string
	answer      func(*request) (answer, *problem)
}

var (
	readApplications = []string{"Application.Read.All", "Application.ReadWrite.OwnedBy", "Application.ReadWrite.All", "Directory.Read.All"}
	readGrants       = []string{"DelegatedPermissionGrant.Read.All", "DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All"}
	readGroups       = []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"}
	readMemberships  = append([]string{"User.Read.All"}, readGroups...)
	// readUsers lets members be seen with more than their object IDs.
	readUsers = []string{"User.ReadBasic.All", "User.Read.All", "Directory.Read.All"}
)

// routes are all addresses that the lab knows.
func routes() []route {
	return []route{
		{"GET", "applications", readApplications, listApplications},
		{"GET", "applications/*", readApplications, getApplication},
		{"GET", "servicePrincipals", readApplications, listPrincipals},
		{"GET", "servicePrincipals/*", readApplications, getPrincipal},
		{"GET", "servicePrincipals/*/appRoleAssignments", readApplications, listAssignments},
		{"GET", "servicePrincipals/*/oauth2PermissionGrants", readGrants, listPrincipalGrants},
		{"GET", "oauth2PermissionGrants", readGrants, listGrants},
		{"GET", "groups", readGroups, listGroups},
		{"GET", "groups/*", readGroups, getGroup},
		{"GET", "groups/*/members", readGroups, listMembers},
		{"GET", "groups/*/members/$count", readGroups, countMembers},
		{"GET", "users/*/memberOf", readMemberships, listMemberOf},
		// No group of the lab is in another.
		{"GET", "groups/*/transitiveMembers", readGroups, listMembers},
		{"GET", "groups/*/transitiveMembers/microsoft.graph.user", readGroups, listMembers},
		{"GET", "users/*/transitiveMemberOf", readMemberships, listMemberOf},
		{"POST", "users/*/getMemberObjects", readGroups, getMemberObjects},
	}
}

// routeOf finds the route of a request and what its path names.
func routeOf(r *http.Request) (route, []string, bool) {
	segments := segmentsOf(r.URL.Path)
	for _, candidate := range routes() {
		if keys, fits := match(candidate.path, segments); fits && candidate.method == r.Method {
			return candidate, keys, true
		}
	}
	return route{}, nil, false
}

// segmentsOf takes a path apart; applications(appId='x') is applications and appId=x.
func segmentsOf(path string) []string {
	var segments []string
	for _, segment := range strings.Split(strings.TrimPrefix(path, Version+"/"), "/") {
		name, key, isKeyed := strings.Cut(strings.TrimSuffix(segment, ")"), "(")
		if segments = append(segments, name); isKeyed {
			segments = append(segments, strings.ReplaceAll(key, "'", ""))
		}
	}
	return segments
}

func match(pattern string, segments []string) (keys []string, fits bool) {
	parts := strings.Split(pattern, "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	for i, part := range parts {
		switch {
		case part == "*" && segments[i] != "":
			keys = append(keys, segments[i])
		case part != segments[i]:
			return nil, false
		}
	}
	return keys, true
}
