package checklist

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	c := load(t)
	for _, tc := range []struct {
		name        string
		focus, skip []string
		has, lacks  []string
		count       int // 0: not compared
	}{
		{"everything", nil, nil, []string{"1.1.1", "S.5", "N.1.1", "2.2.2.1"}, nil, len(c.Items())},
		{"topic", []string{"gpu"}, nil, []string{"1.2.1", "1.2.5"}, []string{"1.1.1", "4.2.1.3"}, 5},
		{"topic in capitals", []string{"GPU"}, nil, []string{"1.2.1"}, nil, 5},
		{"section", []string{"6"}, nil, []string{"6.1.1", "6.1.2.1", "6.3.5"}, []string{"7.1.1"}, 0},
		{"section 1 is not section 15", []string{"1"}, nil, []string{"1.1.1"}, []string{"10.1.1", "15.1.1"}, 0},
		{"subsection", []string{"6.1"}, nil, []string{"6.1.1"}, []string{"6.2.1"}, 0},
		{"group by number brings its children", []string{"6.1.4"}, nil, nil, nil, 3},
		{"child alone", []string{"6.1.4.1"}, nil, []string{"6.1.4.1"}, nil, 1},
		{"option means its parent", []string{"8.3.2.1"}, nil, []string{"8.3.2", "8.3.2.1", "8.3.2.3"}, nil, 4},
		{"title", []string{"pull secret"}, nil, []string{"5.1.6"}, nil, 1},
		{"title of an option", []string{"^traefik$"}, nil, []string{"2.2.2", "2.2.2.1"}, nil, 4},
		{"title of a group", []string{"RBAC permissions"}, nil, []string{"1.1.5", "1.1.5.4"}, nil, 5},
		{"title of a subsection", []string{"storage quotas"}, nil, []string{"6.2.1"}, nil, 3},
		{"two tokens", []string{"6.2", "5.1.1"}, nil, []string{"6.2.3", "5.1.1"}, nil, 4},
		{"skip", []string{"5"}, []string{"pull secret", "5.1.1"}, []string{"5.1.2"}, nil, 4},
		{"skip a parent", []string{"6.1"}, []string{"6.1.2"}, nil, []string{"6.1.2", "6.1.2.1"}, 0},
		{"summary in small letters", []string{"s"}, nil, []string{"S.1", "S.8"}, nil, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := c.Select(tc.focus, tc.skip)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range tc.has {
				if !got[id] {
					t.Errorf("%s is not selected", id)
				}
			}
			for _, id := range tc.lacks {
				if got[id] {
					t.Errorf("%s is selected", id)
				}
			}
			if tc.count > 0 && len(got) != tc.count {
				t.Errorf("%d items are selected, expected %d: %v", len(got), tc.count, got)
			}
		})
	}
}

func TestSelectNamesNearMisses(t *testing.T) {
	c := load(t)
	for token, want := range map[string]string{
		"gpuu":              `--focus=gpuu matches nothing; did you mean "gpu"?`,
		"stroage":           `did you mean "storage"`,
		"6.1.9":             `did you mean "6.1"?`,
		"Provisionner":      `"Provisioner"`,
		"xyzzyxyzzy":        "runner list",
		"99":                "runner list",
		"Pivate key provid": "Private key provided",
	} {
		_, err := c.Select([]string{token}, nil)
		var none *NoMatchError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, expected %s", token, err, want)
		}
	}
	if _, err := c.Select(nil, []string{"gpuu"}); err == nil || !strings.Contains(err.Error(), "--skip=gpuu") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Select([]string{"("}, nil); err == nil || !strings.Contains(err.Error(), "regular expression") {
		t.Errorf("got %v", err)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"namespace", "version", "provisioner"}
	for word, want := range map[string][]string{
		"namepsace": {"namespace"}, "Version": {"version"}, "vesrion": {"version"}, "gpu": nil,
	} {
		if got := Nearest(word, words); !slices.Equal(got, want) {
			t.Errorf("Nearest(%q) = %v, expected %v", word, got, want)
		}
	}
}
