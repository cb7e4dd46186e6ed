package checklist

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"aiv.internal/conformance/testdata"
)

func load(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// box is a checkbox as the customer's document has it.
type box struct{ id, title, parent, section, subsection string }

var (
	headingLine    = regexp.MustCompile(`^## (?:(\d+)\. )?(.+)$`)
	subheadingLine = regexp.MustCompile(`^### (\d+\.\d+) (.+)$`)
	boxLine        = regexp.MustCompile(`^( *)- \[ \] (?:\*\*(.+?)\*\*)?(.*)$`)
	blank          = regexp.MustCompile(`_{3,}.*`)
)

// boxes derives the IDs and titles from the document itself, by the rules of the catalogue.
func boxes(t *testing.T) []box {
	t.Helper()
	var all []box
	var section, subsection, subsectionName, sectionName, parent string
	top, nested := 0, 0
	for _, line := range strings.Split(string(testdata.Checklist), "\n") {
		if m := headingLine.FindStringSubmatch(line); m != nil {
			section, sectionName, top = m[1], m[1]+" "+m[2], 0
			if strings.HasPrefix(m[2], "Summary") {
				section, subsection, sectionName, subsectionName = "S", "S", "S "+m[2], "S "+m[2]
			}
		} else if m := subheadingLine.FindStringSubmatch(line); m != nil {
			subsection, subsectionName, top = m[1], m[1]+" "+m[2], 0
			if !strings.HasPrefix(subsection, section+".") {
				t.Errorf("subsection %s stands in section %s", subsection, section)
			}
		} else if m := boxLine.FindStringSubmatch(line); m != nil {
			title := m[2]
			if title == "" {
				title = m[3]
			}
			title = strings.ReplaceAll(blank.ReplaceAllString(title, ""), "`", "")
			b := box{title: strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(title), ":")), section: sectionName, subsection: subsectionName}
			if m[1] == "" {
				top, nested = top+1, 0
				b.id = fmt.Sprintf("%s.%d", subsection, top)
				parent = b.id
			} else {
				nested++
				b.id, b.parent = fmt.Sprintf("%s.%d", parent, nested), parent
			}
			all = append(all, b)
		}
	}
	return qualified(all)
}

// qualified puts the parent's title behind the titles that occur twice in their subsection.
func qualified(all []box) []box {
	count, titles := map[string]int{}, map[string]string{}
	for _, b := range all {
		count[b.subsection+b.title]++
		titles[b.id] = b.title
	}
	for i, b := range all {
		if count[b.subsection+b.title] > 1 {
			all[i].title = b.title + " (" + titles[b.parent] + ")"
		}
	}
	return all
}

func TestCatalogueIsTheDocument(t *testing.T) {
	c := load(t)
	want := boxes(t)
	if len(want) != 204 {
		t.Fatalf("the document has %d boxes, expected 204", len(want))
	}
	var got []box
	for _, item := range c.Items() {
		if !item.Box {
			continue
		}
		section, _ := c.SectionOf(item.ID)
		subsection, _ := c.SubsectionOf(item.ID)
		got = append(got, box{item.ID, item.Title, item.Parent, section.Name(), subsection.Name()})
	}
	if len(got) != len(want) {
		t.Fatalf("the catalogue has %d boxes, the document %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("box %d:\n got %+v\nwant %+v", i+1, got[i], want[i])
		}
	}
}

func TestEveryIDIsUnique(t *testing.T) {
	c := load(t)
	if items := c.Items(); len(items) != len(c.places) {
		t.Errorf("%d items, but %d IDs", len(items), len(c.places))
	}
	keys := map[string]string{}
	for _, section := range c.Sections {
		for _, subsection := range section.Subsections {
			if other := keys[subsection.Key]; other != "" || subsection.Key == "" {
				t.Errorf("subsections %s and %s have the key %q", other, subsection.ID, subsection.Key)
			}
			keys[subsection.Key] = subsection.ID
		}
	}
}

func TestKinds(t *testing.T) {
	c := load(t)
	count := map[Kind]int{}
	for _, item := range c.Items() {
		if item.Box {
			count[item.Kind]++
		}
	}
	want := map[Kind]int{Probe: 117, Attest: 29, Option: 40, Group: 10, Derived: 8}
	for kind, n := range want {
		if count[kind] != n {
			t.Errorf("%d boxes are %s, expected %d", count[kind], kind, n)
		}
	}
}

func TestDerivedFromWhatExists(t *testing.T) {
	c := load(t)
	for _, item := range c.Items() {
		for _, place := range item.From {
			if _, ok := c.SectionOf(place); !ok {
				t.Errorf("%s is computed from %s, which does not exist", item.ID, place)
			}
		}
	}
}

func TestChildren(t *testing.T) {
	var ids []string
	for _, child := range load(t).Children("6.1.4") {
		ids = append(ids, child.Name())
	}
	if got := strings.Join(ids, ", "); got != "6.1.4.1 ReadWriteOnce (RWO), 6.1.4.2 ReadWriteMany (RWX)" {
		t.Errorf("children of 6.1.4: %s", got)
	}
}

func TestWith(t *testing.T) {
	c := load(t)
	extended := c.With("N.2", []Item{{ID: "N.2.proxy", Title: "Proxy answers", Kind: Probe, Topics: []string{"proxy"}}})
	item, ok := extended.Item("N.2.proxy")
	if !ok || item.Section != "N" || item.Subsection != "N.2" || strings.Join(item.Topics, " ") != "custom proxy" {
		t.Errorf("got %+v", item)
	}
	if _, ok := c.Item("N.2.proxy"); ok {
		t.Error("the original catalogue was changed")
	}
	if selected, err := extended.Select([]string{"N.2.proxy"}, nil); err != nil || len(selected) != 1 {
		t.Errorf("selected %v, %v", selected, err)
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	_, err := Parse([]byte(`
sections:
  - id: "1"
    title: One
    subsections:
      - id: "1.1"
        title: First
        key: first
        items:
          - {id: 1.1.1, title: A, kind: prob}
          - {id: 1.1.3, title: A, kind: attest}
`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{`1.1.1: unknown kind "prob"`, "1.1.3: stands where 1.1.2", `"A" occurs twice`, "an attested item has an answer"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in:\n%v", part, err)
		}
	}
	if _, err := Parse([]byte("sections:\n  - ident: 1\n")); err == nil || !strings.Contains(err.Error(), "ident") {
		t.Errorf("an unknown key is refused, got %v", err)
	}
}
