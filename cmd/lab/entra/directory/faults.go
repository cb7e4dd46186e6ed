package directory

import (
	"slices"
	"strings"
	"time"
)

// Faults of the tenant's content. The table of the lab's faults describes them.
const (
	FaultSecretExpired     = "entra-secret-expired"
	FaultSecretExpiring    = "entra-secret-expiring"
	FaultSecretDate        = "entra-secret-date"
	FaultRedirectMissing   = "entra-redirect-missing"
	FaultRedirectHTTP      = "entra-redirect-http"
	FaultConsentMissing    = "entra-consent-missing"
	FaultPermissionMissing = "entra-permission-missing"
	FaultGroupOther        = "entra-group-other"
	FaultGPUGroupGone      = "entra-gpu-group-gone"
	FaultOtherGroupEmpty   = "entra-other-group-empty"
	FaultAdminsEmpty       = "entra-admins-empty"
	FaultAppUnknown        = "entra-app-unknown"
)

const day = 24 * time.Hour

// defects change the healthy tenant. A defect of the application does nothing where the
// tenant does not know it, so that comes last.
var defects = []struct {
	fault string
	plant func(d *Directory, now time.Time)
}{
	{FaultSecretExpired, func(d *Directory, now time.Time) { d.Application.Secret.ends(now.Add(-day)) }},
	{FaultSecretExpiring, func(d *Directory, now time.Time) { d.Application.Secret.ends(now.Add(10 * day)) }},
	{FaultSecretDate, func(d *Directory, _ time.Time) { d.Application.Secret.ends(d.Application.Secret.End.Add(-100 * day)) }},
	{FaultRedirectMissing, func(d *Directory, _ time.Time) {
		d.Application.RedirectURIs = []string{"https://other.aiv.internal/hub/oauth_callback"}
	}},
	{FaultRedirectHTTP, func(d *Directory, _ time.Time) {
		d.Application.RedirectURIs = []string{strings.Replace(RedirectURI, "https://", "http://", 1)}
	}},
	{FaultConsentMissing, func(d *Directory, _ time.Time) {
		d.Principal.Consented = without(d.Principal.Consented, UserRead, GroupMemberReadAll)
	}},
	{FaultPermissionMissing, func(d *Directory, _ time.Time) {
		d.Application.Required = without(d.Application.Required, UserRead, GroupMemberReadAll)
		d.Principal.Consented = without(d.Principal.Consented, UserRead, GroupMemberReadAll)
	}},
	{FaultGroupOther, func(d *Directory, _ time.Time) {
		users, _ := d.Group(UsersID)
		users.ID = movedID
		d.change(UsersID, func(g *Group) { g.Name = wrongName })
		d.Groups = append(d.Groups, users)
	}},
	{FaultGPUGroupGone, func(d *Directory, _ time.Time) {
		d.Groups = slices.DeleteFunc(d.Groups, func(g Group) bool { return g.ID == GPUID })
	}},
	{FaultOtherGroupEmpty, func(d *Directory, _ time.Time) { d.change(OtherID, empty) }},
	{FaultAdminsEmpty, func(d *Directory, _ time.Time) { d.change(AdminsID, empty) }},
	{FaultAppUnknown, func(d *Directory, _ time.Time) { d.Application = nil }},
}

func empty(g *Group) { g.Members = nil }

// ends sets the end of the secret's validity, and the start before it.
func (s *Secret) ends(at time.Time) {
	s.End = at
	if !s.Start.Before(at) {
		s.Start = at.Add(-365 * day)
	}
}

func (d *Directory) change(groupID string, how func(*Group)) {
	for i := range d.Groups {
		if d.Groups[i].ID == groupID {
			how(&d.Groups[i])
		}
	}
}
