// Package checklist is the catalogue of the customer's checklist: what there is to prove, under
// which number and title, and by which kind of proof. It only describes; it knows nothing of
// clusters, of what the customer answered or of how an item is checked.
package checklist

import "slices"

// Kind says what it takes to prove an item.
type Kind string

const (
	// Probe is measured against the live environment.
	Probe Kind = "probe"
	// Attest is vouched for by a person, with evidence.
	Attest Kind = "attest"
	// Option is a choice of its parent, which is checked in its place.
	Option Kind = "option"
	// Group is a heading; its verdict is the worst of its children.
	Group Kind = "group"
	// Derived is computed from other verdicts of the same run.
	Derived Kind = "derived"
)

var kinds = []Kind{Probe, Attest, Option, Group, Derived}

// Item is one numbered line of the checklist.
type Item struct {
	// ID is made from the item's place: "1.1.5.4". It never changes once released.
	ID string
	// Title is the text of the box without its blanks. It never changes once released.
	Title string
	Kind  Kind
	// Parent is the ID of the box that this one is nested below, "" if none.
	Parent string
	// Topics are the words that select the item, those of its subsection included.
	Topics []string
	// Section and Subsection are the IDs of where the item stands: "1" and "1.1".
	Section, Subsection string
	// Answer is the key in the answers file that the item is compared with: "cluster.version".
	// An item without one needs no answer.
	Answer string
	// Needs are further keys without which the item cannot be checked.
	Needs []string
	// Written is the key of the attestation that a probe needs besides its measurement.
	Written string
	// Contact is the key of the part of the answers file whose contact is called about the item,
	// where its subsection has none.
	Contact string
	// Choices are the values of the parent's answer that mean this option.
	Choices []string
	// From are the sections and subsections that a derived item is computed from.
	From []string
	// Box is false for the lines that are no checkbox: the sign-offs, and section N.
	Box bool
}

// Name is how reports call the item: "1.2.3 NVIDIA device plugin installed".
func (i Item) Name() string { return i.ID + " " + i.Title }

// Subsection is one heading of the checklist, with one key in the answers file.
type Subsection struct {
	ID, Title string
	// Key is the subsection's key in the answers file: "cluster". Its contact is Key.contact.
	Key    string
	Topics []string
	// Items are all items in the order of the document, nested ones after their parent.
	Items []Item
}

// Name is how reports call the subsection: "1.2 GPU Nodes".
func (s Subsection) Name() string { return name(s.ID, s.Title) }

// Section is one chapter of the checklist.
type Section struct {
	ID, Title   string
	Subsections []Subsection
}

// Name is how reports call the section: "1 Kubernetes Cluster Access".
func (s Section) Name() string { return name(s.ID, s.Title) }

func name(id, title string) string { return id + " " + title }

// Catalogue is the whole checklist. It is not changed after it was loaded.
type Catalogue struct {
	Sections []Section
	places   map[string]place
}

// place says where an item stands in the catalogue.
type place struct{ section, subsection, item int }

func newCatalogue(sections []Section) *Catalogue {
	c := &Catalogue{Sections: sections, places: map[string]place{}}
	for s, section := range sections {
		for u, subsection := range section.Subsections {
			for i, item := range subsection.Items {
				c.places[item.ID] = place{s, u, i}
			}
		}
	}
	return c
}

// Item returns the item of that ID.
func (c *Catalogue) Item(id string) (Item, bool) {
	p, ok := c.places[id]
	if !ok {
		return Item{}, false
	}
	return c.Sections[p.section].Subsections[p.subsection].Items[p.item], true
}

// Items returns all items in the order of the document.
func (c *Catalogue) Items() []Item {
	items := make([]Item, 0, len(c.places))
	for _, section := range c.Sections {
		for _, subsection := range section.Subsections {
			items = append(items, subsection.Items...)
		}
	}
	return items
}

// Children returns the items nested directly below id, in the order of the document.
func (c *Catalogue) Children(id string) []Item {
	subsection, _ := c.SubsectionOf(id)
	return slices.DeleteFunc(slices.Clone(subsection.Items), func(i Item) bool { return i.Parent != id })
}

// SectionOf returns the section in which the item or subsection id stands.
func (c *Catalogue) SectionOf(id string) (Section, bool) {
	if p, ok := c.places[id]; ok {
		return c.Sections[p.section], true
	}
	for _, section := range c.Sections {
		if section.ID == id {
			return section, true
		}
		for _, subsection := range section.Subsections {
			if subsection.ID == id {
				return section, true
			}
		}
	}
	return Section{}, false
}

// SubsectionOf returns the subsection in which the item id stands, or that has this ID itself.
func (c *Catalogue) SubsectionOf(id string) (Subsection, bool) {
	if p, ok := c.places[id]; ok {
		return c.Sections[p.section].Subsections[p.subsection], true
	}
	for _, section := range c.Sections {
		for _, subsection := range section.Subsections {
			if subsection.ID == id {
				return subsection, true
			}
		}
	}
	return Subsection{}, false
}

// With returns a catalogue that also holds items, appended to the subsection: the customer's own
// checks come from the answers file. Of each item ID, Title, Kind and Topics are read; the rest
// follows from its place. The catalogue itself stays as it is.
func (c *Catalogue) With(subsectionID string, items []Item) *Catalogue {
	sections := slices.Clone(c.Sections)
	for s := range sections {
		subsections := slices.Clone(sections[s].Subsections)
		for u := range subsections {
			if subsections[u].ID == subsectionID {
				subsections[u] = subsections[u].with(sections[s].ID, items)
			}
		}
		sections[s].Subsections = subsections
	}
	return newCatalogue(sections)
}

func (s Subsection) with(section string, items []Item) Subsection {
	s.Items = slices.Clone(s.Items)
	for _, item := range items {
		item.Section, item.Subsection = section, s.ID
		item.Topics = union(s.Topics, item.Topics)
		s.Items = append(s.Items, item)
	}
	return s
}

// union returns a followed by what only b has.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, word := range b {
		if !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	return all
}
