package identity

import (
	"context"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

func groupItems(e *entrance) {
	item := func(id string, prove func(ctx context.Context, d *directory, g answers.Groups) error) {
		check.Item(id, func(ctx context.Context, g answers.Groups) {
			ctx, cancel := context.WithTimeout(ctx, lookLimit)
			defer cancel()
			defer e.confess(ctx)
			check.NoError(prove(ctx, e.open(), g), "ask Microsoft Graph")
		})
	}
	item("4.2.1.1", func(ctx context.Context, d *directory, g answers.Groups) error {
		return proveGroups(ctx, d, namedGroup{"groups.users", g.Users})
	})
	item("4.2.1.2", func(ctx context.Context, d *directory, g answers.Groups) error {
		return proveGroups(ctx, d, namedGroup{"groups.admins", g.Admins})
	})
	item("4.2.1.3", func(ctx context.Context, d *directory, g answers.Groups) error {
		if !*g.GPURestricted {
			check.NotApplicable("groups.gpuRestricted is false: everybody may use GPUs")
		}
		return proveGroups(ctx, d, namedGroup{"groups.gpuUsers", g.GPUUsers})
	})
	item("4.2.1.4", func(ctx context.Context, d *directory, g answers.Groups) error {
		if len(g.Other) == 0 {
			check.NotApplicable("groups.other is empty: there are no other groups")
		}
		return proveGroups(ctx, d, otherGroups(g)...)
	})
	item("4.2.2", func(ctx context.Context, d *directory, g answers.Groups) error {
		all := answeredGroups(g)
		for _, group := range all {
			requireParts(group, "objectId")
		}
		return proveObjectIDs(ctx, d, all)
	})
	check.Attested("4.2.3")
}

// requireParts ends the check as not answered where the group's name or ID is missing.
func requireParts(g namedGroup, parts ...string) {
	var missing []string
	for _, part := range parts {
		if part == "name" && g.Name == "" || part == "objectId" && g.ObjectID == "" {
			missing = append(missing, g.key+"."+part)
		}
	}
	if len(missing) > 0 {
		check.Require(missing...)
	}
}

// proveGroups says whether groups are there as answered, with somebody in each.
func proveGroups(ctx context.Context, d *directory, groups ...namedGroup) error {
	for _, g := range groups {
		requireParts(g, "name", "objectId")
		check.Step("read group %s", g.ObjectID)
		if err := d.judgeGroup(ctx, g.key, g.EntraGroup); err != nil {
			return err
		}
		check.Evidence(g.Name, "object ID "+g.ObjectID)
		check.Step("read the members of group %s", g.ObjectID)
		members, err := d.judgeMembers(ctx, g.EntraGroup)
		if err != nil {
			return err
		}
		check.Evidence("members of "+g.Name, members)
	}
	return nil
}

// proveObjectIDs says whether each ID is that of the group which it was answered for.
func proveObjectIDs(ctx context.Context, d *directory, all []namedGroup) error {
	if err := judgeDistinct(all); err != nil {
		return err
	}
	for _, g := range all {
		check.Step("read group %s", g.ObjectID)
		if err := d.judgeGroup(ctx, g.key, g.EntraGroup); err != nil {
			return err
		}
		check.Evidence(g.key, g.ObjectID)
	}
	return nil
}
