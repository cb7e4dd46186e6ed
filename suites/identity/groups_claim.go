package identity

import (
	"context"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/check"
)

// Values of groupMembershipClaims that are about security groups; others are None and
// DirectoryRole (https://learn.microsoft.com/entra/identity-platform/reference-app-manifest).
const (
	claimSecurity = "SecurityGroup"
	claimAssigned = "ApplicationGroup"
	claimAll      = "All"
)

// optionalClaim is one that tokens hold beside the usual ones, or hold in another form.
type optionalClaim struct {
	Name       string   `json:"name"`
	Properties []string `json:"additionalProperties"`
}

// useObjectIDs is the property that leaves object IDs as they are.
const useObjectIDs = "use_guid"

// groupClaims are the values of groupMembershipClaims: there may be several.
func (a *application) groupClaims() []string {
	return strings.FieldsFunc(a.GroupMembershipClaims, func(c rune) bool { return c == ',' || c == ' ' })
}

func (a *application) claims(value string) bool {
	return slices.ContainsFunc(a.groupClaims(), func(have string) bool { return strings.EqualFold(have, value) })
}

// claimsAllGroups says that tokens list all security groups of a user, those that the user is
// in through another group, too.
func (a *application) claimsAllGroups() bool { return a.claims(claimSecurity) || a.claims(claimAll) }

// groupForms are how ID tokens write groups, nil for object IDs in the claim groups.
func (a *application) groupForms() []string {
	var forms []string
	for _, claim := range a.OptionalClaims.IDToken {
		if strings.EqualFold(claim.Name, "groups") {
			forms = append(forms, claim.Properties...)
		}
	}
	return slices.DeleteFunc(forms, func(form string) bool { return form == useObjectIDs })
}

// saidOfGroups is what the registration says of groups in ID tokens.
func (a *application) saidOfGroups() string {
	said := a.GroupMembershipClaims
	if said == "" {
		said = "not set"
	}
	if forms := a.groupForms(); len(forms) > 0 {
		said += ", as " + strings.Join(forms, ", ")
	}
	return said
}

// warning is something of the registration that does harm in some installations only.
type warning struct{ found, why, do string }

// judgeGroupsClaim returns what stands in the way of a JupyterHub that goes by the groups in
// ID tokens. One that asks Microsoft Graph for them needs no such claim.
func judgeGroupsClaim(app *application) []warning {
	const (
		byGraph = "; that does no harm where JupyterHub asks Microsoft Graph for groups"
		add     = "add the groups claim with security groups (Token configuration), unless JupyterHub asks Microsoft Graph"
	)
	var all []warning
	switch assigned := app.claims(claimAssigned); {
	case !app.claimsAllGroups() && !assigned:
		return []warning{{"ID tokens of users carry no groups: groupMembershipClaims is " + app.saidOfGroups(), "no groups claim was configured, or one for directory roles only" + byGraph, add}}
	case !app.claimsAllGroups():
		all = append(all, warning{"ID tokens of users carry only groups that are assigned to the application: groupMembershipClaims is " + app.saidOfGroups(),
			"groups that are not assigned are missing in tokens, and members of groups within an assigned one do not count" + byGraph,
			"assign every group of 4.2 to the application (Enterprise applications, Users and groups), with its users directly in it"})
	}
	if forms := app.groupForms(); len(forms) > 0 {
		all = append(all, warning{"ID tokens of users carry groups in another form: " + strings.Join(forms, ", "),
			"the groups claim is customized: a comparison with the object IDs of 4.2 finds nobody in a group" + byGraph,
			"let ID tokens carry groups as Group ID, not as role claims (Token configuration), or see that JupyterHub compares what they carry"})
	}
	return all
}

// recordGroupsClaim tells what the registration says of groups in ID tokens.
func recordGroupsClaim(ctx context.Context, d *directory) {
	app, err := d.registration(ctx)
	if err != nil {
		check.Evidence("groups in tokens of users", "cannot be read: "+words(err))
		return
	}
	check.Evidence("groups in tokens of users", app.saidOfGroups())
	for _, w := range judgeGroupsClaim(app) {
		check.Warn(w.found, w.why, w.do)
	}
}
