// Package directory is what the lab's simulated Entra ID tenant holds: one application, its
// groups and their members. It knows nothing of how it is served.
package directory

import (
	"fmt"
	"slices"
	"time"

	"aiv.internal/conformance/cmd/lab/topology"
)

// The tenant and the application that is registered in it. The IDs are fixed, so that the
// answers can name them before anything runs.
const (
	TenantID   = "7c1e4f0a-52d6-4b0e-9a57-1f6a3c0b8d21"
	TenantName = "AIV Lab (simulated)"
	// ClientID is the application's, ApplicationObjectID and PrincipalID are those of its
	// registration and of its enterprise application.
	ClientID            = "2f9d6c1b-8a34-4e7f-b5d0-6c9e1a7f4b32"
	ApplicationObjectID = "5b0a7e93-1c62-4d8f-a3e4-90d2c7b6f158"
	PrincipalID         = "e83c5d47-6f1b-4a29-8c70-d4b9f2a1637e"
	SecretKeyID         = "9a6f3e21-0d47-4c8b-b1e5-72f4c8d0a396"
	// RedirectURI is the one that is registered.
	RedirectURI = "https://jupyterhub." + topology.Domain + "/hub/oauth_callback"
)

// Groups of the tenant.
const (
	UsersID   = "1d4b8f60-7a2c-4e95-8b3d-f0c6a9e25718"
	AdminsID  = "3e7c9a12-5f48-4b06-9d81-a2b7e4c0f639"
	GPUID     = "6a0d2c84-b9e1-4f37-a5c6-18e3f7d4b920"
	OtherID   = "8f5b1e76-3d0a-4c92-b764-c9d0e8a2f143"
	UsersName = "SG-JupyterHub-Users"

	AdminsName = "SG-JupyterHub-Admins"
	GPUName    = "SG-JupyterHub-GPU"
	OtherName  = "SG-JupyterHub-Auditors"
	// wrongName is what the group is called whose object ID is not the users' but was taken
	// for it, and movedID is theirs then.
	wrongName = "SG-Finance-Reporting"
	movedID   = "5e2a8c17-0b6d-4f93-a481-7d3c9e5f0b64"
)

// The test user, who may sign in with TestPassword, and another who is in more groups than a
// token holds.
const (
	TestUserID   = "b2c9e5f7-4d18-4a60-93b7-0e6f8d1a5c24"
	TestUser     = "jupyterhub.test@" + topology.Domain
	CrowdedID    = "d7f0a3b8-9e54-4c21-86da-5b1c7e3f9062"
	CrowdedUser  = "jupyterhub.crowded@" + topology.Domain
	TestPassword = "simulated-password"
)

// members is how many the users' group has: more than the largest page of Graph.
const members = 1200

// crowd is how many groups CrowdedUser is in; a token holds 200.
const crowd = 210

// Directory is the tenant at one moment.
type Directory struct {
	// Application is nil where the tenant does not know it.
	Application *Application
	Principal   ServicePrincipal
	Groups      []Group
	Users       []User
}

// Application is an app registration.
type Application struct {
	ObjectID, AppID, DisplayName string
	Secret                       Secret
	RedirectURIs                 []string
	// Required are the permissions that it asks for.
	Required []Permission
}

// Secret is a client secret without its value.
type Secret struct {
	KeyID, DisplayName, Hint string
	Start, End               time.Time
}

// ServicePrincipal is an application as the tenant admits it.
type ServicePrincipal struct {
	ObjectID, AppID, DisplayName string
	// Consented are the permissions that an administrator agreed to, for everybody.
	Consented []Permission
}

// Roles are the consented application permissions, as tokens name them.
func (p ServicePrincipal) Roles() []string { return names(p.Consented, Role) }

// Scopes are the consented delegated permissions.
func (p ServicePrincipal) Scopes() []string { return names(p.Consented, Scope) }

// Group is a security group.
type Group struct {
	ID, Name string
	Members  []string // object IDs of users
}

// User is an account.
type User struct {
	ID, Name, PrincipalName string
}

// Lab returns the tenant as the planted faults have it. The secret's value is hinted at only.
func Lab(secret Credential, active func(fault string) bool, now time.Time) Directory {
	users := labUsers()
	d := Directory{
		Application: &Application{
			ObjectID: ApplicationObjectID, AppID: ClientID, DisplayName: "JupyterHub (simulated)",
			Secret:       secret.describe(),
			RedirectURIs: []string{RedirectURI},
			Required:     []Permission{UserRead, GroupMemberReadAll, ApplicationReadAll, GrantReadAll},
		},
		Principal: ServicePrincipal{
			ObjectID: PrincipalID, AppID: ClientID, DisplayName: "JupyterHub (simulated)",
			Consented: []Permission{UserRead, GroupMemberReadAll, ApplicationReadAll, GrantReadAll},
		},
		Groups: labGroups(users),
		Users:  users,
	}
	for _, defect := range defects {
		if active(defect.fault) {
			defect.plant(&d, now)
		}
	}
	return d
}

func labUsers() []User {
	users := []User{
		{ID: TestUserID, Name: "JupyterHub Test (simulated)", PrincipalName: TestUser},
		{ID: CrowdedID, Name: "JupyterHub Crowded (simulated)", PrincipalName: CrowdedUser},
	}
	for n := len(users); n < members; n++ {
		users = append(users, User{
			ID:            numbered("c0000000", n),
			Name:          fmt.Sprintf("User %03d (simulated)", n),
			PrincipalName: fmt.Sprintf("user%03d@%s", n, topology.Domain),
		})
	}
	return users
}

func labGroups(users []User) []Group {
	var everybody []string
	for _, user := range users {
		everybody = append(everybody, user.ID)
	}
	groups := []Group{
		{ID: UsersID, Name: UsersName, Members: everybody},
		{ID: AdminsID, Name: AdminsName, Members: everybody[2:4]},
		{ID: GPUID, Name: GPUName, Members: everybody[:10]},
		{ID: OtherID, Name: OtherName, Members: everybody[4:6]},
	}
	for n := range crowd {
		groups = append(groups, Group{ID: numbered("a0000000", n), Name: fmt.Sprintf("SG-Crowd-%03d", n), Members: []string{CrowdedID}})
	}
	return groups
}

// numbered makes a GUID that is the same in every lab.
func numbered(start string, n int) string {
	return fmt.Sprintf("%s-0000-4000-8000-%012x", start, n)
}

// Group returns the group of that object ID.
func (d Directory) Group(id string) (Group, bool) {
	at := slices.IndexFunc(d.Groups, func(g Group) bool { return g.ID == id })
	if at < 0 {
		return Group{}, false
	}
	return d.Groups[at], true
}

// User returns the user of that object ID or principal name.
func (d Directory) User(id string) (User, bool) {
	at := slices.IndexFunc(d.Users, func(u User) bool { return u.ID == id || u.PrincipalName == id })
	if at < 0 {
		return User{}, false
	}
	return d.Users[at], true
}

// GroupsOf are the groups that the user is a member of.
func (d Directory) GroupsOf(userID string) []Group {
	return slices.DeleteFunc(slices.Clone(d.Groups), func(g Group) bool { return !slices.Contains(g.Members, userID) })
}
