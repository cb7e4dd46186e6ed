package identity

import (
	"strings"
	"testing"
)

// What the registration says of groups in ID tokens is always told, and warned of where a
// JupyterHub that goes by them would find nobody in the answered groups.
func TestGroupsClaim(t *testing.T) {
	withGroups := func(properties ...string) any {
		return map[string]any{"idToken": []any{map[string]any{"name": "email"}, map[string]any{"name": "groups", "additionalProperties": properties}}}
	}
	for name, test := range map[string]struct {
		claims, optional any
		said             string
		// warned are words of each warning.
		warned []string
		// nested says that tokens of users in a group within an answered one list that, too.
		nested bool
	}{
		"not set":             {nil, nil, "not set", []string{"carry no groups"}, false},
		"none":                {"None", nil, "None", []string{"carry no groups"}, false},
		"roles only":          {"DirectoryRole", nil, "DirectoryRole", []string{"directory roles only"}, false},
		"assigned groups":     {"ApplicationGroup", nil, "ApplicationGroup", []string{"assigned"}, false},
		"security groups":     {"SecurityGroup", nil, "SecurityGroup", nil, true},
		"all":                 {"All", nil, "All", nil, true},
		"several":             {"DirectoryRole, SecurityGroup", nil, "DirectoryRole, SecurityGroup", nil, true},
		"as IDs":              {"SecurityGroup", withGroups("use_guid"), "SecurityGroup", nil, true},
		"as names":            {"SecurityGroup", withGroups("sam_account_name"), "SecurityGroup, as sam_account_name", []string{"sam_account_name"}, true},
		"as roles":            {"ApplicationGroup", withGroups("emit_as_roles"), "ApplicationGroup, as emit_as_roles", []string{"assigned", "emit_as_roles"}, false},
		"names without claim": {nil, withGroups("sam_account_name"), "not set, as sam_account_name", []string{"carry no groups"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, d, _ := newCloud(t)
			c.groupClaims, c.optionalClaims = test.claims, test.optional
			c.members[adminsID] = []map[string]string{{"@odata.type": groupType, "id": "g"}}
			c.members[adminsID+"/transitive"] = []map[string]string{{"id": "u"}}
			app, err := d.registration(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := app.saidOfGroups(); got != test.said {
				t.Errorf("said: %q", got)
			}
			warnings := judgeGroupsClaim(app)
			if len(warnings) != len(test.warned) {
				t.Fatalf("%+v", warnings)
			}
			for i, want := range test.warned {
				if w := warnings[i]; !strings.Contains(w.found+w.why, want) || w.do == "" {
					t.Errorf("want %q, got %+v", want, w)
				}
			}
			seen, err := d.judgeMembers(t.Context(), groupAnswers().Admins)
			if err != nil || strings.Contains(seen, "tokens") != test.nested {
				t.Errorf("%q, %v", seen, err)
			}
		})
	}
}
