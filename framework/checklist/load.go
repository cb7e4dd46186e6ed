package checklist

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"aiv.internal/conformance/testdata"
)

// The document as it is written in checklist.yaml: items nested as in the checklist.
type (
	document struct {
		Sections []struct {
			ID          string
			Title       string
			Subsections []subsectionEntry
		}
	}
	subsectionEntry struct {
		ID     string
		Title  string
		Key    string
		Topics []string
		Items  []itemEntry
	}
	itemEntry struct {
		ID      string
		Title   string
		Kind    Kind
		Topics  []string
		Answer  string
		Needs   []string
		Written string
		Contact string
		Choices []string
		From    []string
		Box     *bool
		Items   []itemEntry
	}
)

// Load returns the catalogue that is built into the binary. It is read once.
func Load() (*Catalogue, error) { return builtIn() }

var builtIn = sync.OnceValues(func() (*Catalogue, error) {
	c, err := Parse(testdata.Catalogue)
	if err != nil {
		return nil, fmt.Errorf("the built-in checklist.yaml: %w", err)
	}
	return c, nil
})

// Parse reads a catalogue. Its errors name all items that break a rule: an ID that is not the
// item's place, a duplicate title, an unknown kind, a key that does not fit the kind.
func Parse(text []byte) (*Catalogue, error) {
	var doc document
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&doc); err != nil {
		return nil, err
	}
	var sections []Section
	var problems []error
	for _, s := range doc.Sections {
		section := Section{ID: s.ID, Title: s.Title}
		for _, u := range s.Subsections {
			b := builder{section: s.ID, subsection: Subsection{ID: u.ID, Title: u.Title, Key: u.Key, Topics: u.Topics}}
			b.addAll(u.ID, "", u.Items)
			section.Subsections = append(section.Subsections, b.subsection)
			problems = append(problems, b.problems...)
		}
		sections = append(sections, section)
	}
	return newCatalogue(sections), errors.Join(problems...)
}

// builder flattens the items of one subsection and notes what is wrong with them.
type builder struct {
	section    string
	subsection Subsection
	problems   []error
}

func (b *builder) addAll(prefix, parent string, entries []itemEntry) {
	for n, e := range entries {
		item := Item{
			ID: e.ID, Title: e.Title, Kind: e.Kind, Parent: parent,
			Topics:  union(b.subsection.Topics, e.Topics),
			Section: b.section, Subsection: b.subsection.ID,
			Answer: e.Answer, Needs: e.Needs, Written: e.Written, Contact: e.Contact, Choices: e.Choices, From: e.From,
			Box: e.Box == nil || *e.Box,
		}
		b.check(item, fmt.Sprintf("%s.%d", prefix, n+1), e.Items)
		b.subsection.Items = append(b.subsection.Items, item)
		b.addAll(e.ID, e.ID, e.Items)
	}
}

func (b *builder) check(item Item, id string, children []itemEntry) {
	wrong := func(when bool, format string, args ...any) {
		if when {
			b.problems = append(b.problems, fmt.Errorf("item %s: %s", item.ID, fmt.Sprintf(format, args...)))
		}
	}
	wrong(item.ID != id, "stands where %s must stand", id)
	wrong(item.Title == "" || item.Title != strings.TrimSpace(item.Title), "the title %q is empty or padded", item.Title)
	wrong(!slices.Contains(kinds, item.Kind), "unknown kind %q", item.Kind)
	wrong(slices.ContainsFunc(b.subsection.Items, func(other Item) bool { return other.Title == item.Title }),
		"the title %q occurs twice in the subsection", item.Title)
	wrong(item.Kind == Option && (item.Parent == "" || len(item.Choices) == 0), "an option has a parent and choices")
	wrong(item.Kind != Option && len(item.Choices) > 0, "only an option has choices")
	wrong(item.Kind == Group && (len(children) == 0 || item.Answer != ""), "a group has children and no answer")
	wrong(item.Kind == Attest && item.Answer == "", "an attested item has an answer")
	wrong(item.Kind == Derived && item.Answer != "", "a derived item has no answer")
	wrong(item.Kind != Derived && len(item.From) > 0, "only a derived item is computed from others")
	wrong(item.Kind != Probe && item.Written != "", "only a probe has a written part besides")
	for _, child := range children {
		wrong((child.Kind == Option) == (item.Kind == Group), "a group has no options, and nothing else has other children than options")
	}
}
