package identity

import (
	"slices"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// wanted is a permission in the form that consent to it is looked for.
type wanted struct {
	permission
	form answers.EntraPermission
}

// wantedOf returns the permissions of the checklist in the answered forms, or else in those
// in which they are requested.
func wantedOf(a *access, answered answers.EntraPermissions) []wanted {
	all := []wanted{{userRead, answered.UserRead}, {groupMemberReadAll, answered.GroupMemberReadAll}}
	for i, w := range all {
		if w.form != "" {
			continue
		}
		all[i].form = answers.Delegated
		if w.application != "" && (a.requests(w.permission, answers.Application) || slices.Contains(a.roles, w.name)) {
			all[i].form = answers.Application
		}
	}
	return all
}

// judgeConsent says whether an administrator consented to all of Microsoft Graph's permissions
// that the application asks for. What it does not ask for is for 4.1.7 to say. Where it cannot
// be read what that is, consent to those of the checklist, all, is looked for.
func (d *directory) judgeConsent(a *access, all []wanted) error {
	expected := "an administrator consented to every permission of Microsoft Graph that the application requests"
	if a.requestedErr != nil {
		expected = "an administrator consented to " + userRead.name + " and " + groupMemberReadAll.name
	} else if len(a.requested) == 0 {
		return finding.NotDecided(expected, "it requests none", "", "see item 4.1.7")
	}
	var lacking []string
	var unread error
	if a.requestedErr == nil {
		all = slices.DeleteFunc(slices.Clone(all), func(w wanted) bool { return !a.requests(w.permission, w.form) })
		for _, one := range a.requested {
			kind, id, _ := strings.Cut(one, " ")
			p := a.named(id)
			switch {
			case slices.ContainsFunc(all, func(w wanted) bool { return w.id(w.form) == id }):
			case kind == scopeType:
				all = append(all, wanted{p, answers.Delegated})
			case a.assignedErr != nil && !slices.Contains(a.roles, p.name):
				unread = a.assignedErr
			case a.assignedErr == nil && !slices.Contains(a.assigned, id):
				lacking = append(lacking, p.in(answers.Application))
			}
		}
	}
	for _, w := range all {
		granted, err := a.consentTo(w.permission, w.form)
		switch {
		case err != nil:
			unread = err
		case granted == grantedToSome:
			lacking = append(lacking, w.in(w.form)+" (granted to single users only)")
		case granted == notGranted:
			lacking = append(lacking, w.in(w.form))
		}
	}
	switch {
	case len(lacking) > 0:
		return finding.Failed(expected, "consent is missing for "+strings.Join(lacking, ", "), "the permissions were added, and no administrator consented afterwards", consentAdvice)
	case unread != nil:
		return d.unread(unread, expected, toReadConsent(unread))
	}
	return nil
}

// toReadConsent is the application permission that lacked when reading consent ended in err.
func toReadConsent(err error) string {
	if e := asGraph(err); e != nil && strings.Contains(e.request, "/servicePrincipals") {
		return toReadApplications
	}
	return toReadGrants
}
