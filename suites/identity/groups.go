package identity

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// group is a group of the directory (https://learn.microsoft.com/graph/api/resources/group).
type group struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Security    *bool  `json:"securityEnabled"`
}

// member is whoever is in a group.
type member struct {
	Type string `json:"@odata.type"`
	ID   string `json:"id"`
}

const (
	userType  = "#microsoft.graph.user"
	groupType = "#microsoft.graph.group"
)

func (m member) isUser() bool { return m.Type == userType || m.Type == "" }

// groupByID reads a group.
func (d *directory) groupByID(ctx context.Context, id string) (*group, error) {
	id = strings.ToLower(id)
	if d.groups[id] == nil {
		d.groups[id] = &once[*group]{}
	}
	return d.groups[id].get(ctx, func() (*group, error) {
		return read[group](ctx, d, "groups/"+id, selecting("id,displayName,securityEnabled"))
	})
}

// membersOf returns members of a group, all pages up to the first with a user in it.
func (d *directory) membersOf(ctx context.Context, id string) ([]member, error) {
	return list[member](ctx, d, "groups/"+id+"/members", url.Values{"$select": {"id"}, "$top": {"999"}}, func(all []member) bool { return users(all) > 0 })
}

func users(members []member) int {
	count := 0
	for _, m := range members {
		if m.isUser() {
			count++
		}
	}
	return count
}

// judgeGroup says whether the group is there under its ID with its name. key is its answer.
func (d *directory) judgeGroup(ctx context.Context, key string, answered answers.EntraGroup) error {
	expected := fmt.Sprintf("security group %q has object ID %s", answered.Name, answered.ObjectID)
	if answered.Name == "" {
		expected = "a security group has object ID " + answered.ObjectID
	}
	found, err := d.groupByID(ctx, answered.ObjectID)
	switch {
	case isMissing(err):
		return finding.Failed(expected, "no group has this ID", "the group was deleted, or the ID is that of something else, such as a user or an application",
			"correct "+key+".objectId"+d.hintFor(ctx, answered))
	case err != nil:
		return d.unread(err, expected, toReadGroups)
	case found.Security != nil && !*found.Security:
		return finding.Failed(expected, fmt.Sprintf("group %q is no security group", found.DisplayName), "it was made as a distribution list or as a Microsoft 365 group without security", "make a security group, and set "+key)
	case found.DisplayName == "" && answered.Name != "":
		return finding.NotDecided(expected, "the group's name may not be read", "the application lacks a permission", "grant it "+toReadGroups+" as an application permission")
	case answered.Name != "" && found.DisplayName != answered.Name:
		return finding.Failed(expected, fmt.Sprintf("group %s is called %q", answered.ObjectID, found.DisplayName), "the ID is that of another group, or the group was renamed", "correct "+key+".objectId or "+key+".name"+d.hintFor(ctx, answered))
	}
	return nil
}

// hintFor names the ID of the group that has the answered name, "" where there is none.
func (d *directory) hintFor(ctx context.Context, answered answers.EntraGroup) string {
	if answered.Name == "" {
		return ""
	}
	named, err := list[group](ctx, d, "groups", url.Values{"$filter": {"displayName eq '" + strings.ReplaceAll(answered.Name, "'", "''") + "'"}, "$select": {"id,displayName"}}, func([]group) bool { return true })
	if err != nil || len(named) == 0 || named[0].DisplayName != answered.Name {
		return ""
	}
	return fmt.Sprintf("; the object ID of %q is %s", answered.Name, named[0].ID)
}

// judgeMembers says whether a user is in the group, be it through a group in it. It returns
// what it saw.
func (d *directory) judgeMembers(ctx context.Context, answered answers.EntraGroup) (string, error) {
	expected := fmt.Sprintf("group %q has a member", answered.Name)
	members, err := d.membersOf(ctx, strings.ToLower(answered.ObjectID))
	if err != nil {
		return "", d.unread(err, expected, toReadGroups)
	}
	if count := users(members); count > 0 {
		return fmt.Sprintf("at least %d users", count), nil
	}
	nested := 0
	for _, m := range members {
		if m.Type == groupType {
			nested++
		}
	}
	if nested > 0 {
		through, err := list[member](ctx, d, "groups/"+strings.ToLower(answered.ObjectID)+"/transitiveMembers/microsoft.graph.user", url.Values{"$select": {"id"}, "$top": {"1"}}, func([]member) bool { return true })
		if err != nil {
			return "", d.unread(err, expected, toReadGroups)
		}
		if len(through) > 0 {
			seen := fmt.Sprintf("users in %d groups within it", nested)
			if app, err := d.registration(ctx); err == nil && app.claimsAllGroups() {
				seen += "; tokens of these users list it, too"
			}
			return seen, nil
		}
	}
	found := "it has none"
	if len(members) > 0 {
		found = fmt.Sprintf("none of its %d members is a user", len(members))
	}
	return "", finding.Failed(expected, found, "nobody was added yet: nobody has the rights that come with the group", "add users to it (Groups, Members)")
}

// namedGroup is an answered group with its key.
type namedGroup struct {
	key string
	answers.EntraGroup
}

// answeredGroups returns the groups that the answers name, GPU users only where GPUs are
// restricted.
func answeredGroups(g answers.Groups) []namedGroup {
	all := []namedGroup{{"groups.users", g.Users}, {"groups.admins", g.Admins}}
	if g.GPURestricted != nil && *g.GPURestricted {
		all = append(all, namedGroup{"groups.gpuUsers", g.GPUUsers})
	}
	return append(all, otherGroups(g)...)
}

func otherGroups(g answers.Groups) []namedGroup {
	var all []namedGroup
	for i, other := range g.Other {
		all = append(all, namedGroup{fmt.Sprintf("groups.other[%d]", i), other})
	}
	return all
}

// judgeDistinct says whether every group has an ID of its own.
func judgeDistinct(all []namedGroup) error {
	seen := map[string]string{}
	for _, g := range all {
		id := strings.ToLower(g.ObjectID)
		if earlier, twice := seen[id]; twice {
			return finding.Failed("every group has an object ID of its own", fmt.Sprintf("%s and %s have the same, %s", earlier, g.key, id), "a slip of the pen, or one group for two purposes", "correct "+g.key+".objectId")
		}
		seen[id] = g.key
	}
	return nil
}
