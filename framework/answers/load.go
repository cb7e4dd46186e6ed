package answers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"aiv.internal/conformance/framework/checklist"
)

// Load reads the answers file at path. Its error is Errors, each with file, line and column, or
// that of reading the file. Relative paths in the file start at the file's folder.
func Load(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the answers file cannot be read: %w", err)
	}
	return Parse(path, text)
}

// Parse reads text as the answers file at path.
func Parse(path string, text []byte) (*File, error) {
	d := newDecoder(path, text)
	document, err := parser.ParseBytes(text, 0)
	if err != nil {
		d.syntax(err)
		return nil, d.errors
	}
	var f File
	switch {
	case len(document.Docs) > 1:
		d.failAt(document.Docs[1].Start, "the answers file is one YAML document; a second one starts here")
	case len(document.Docs) == 1 && document.Docs[0].Body != nil:
		d.root(document.Docs[0].Body, &f)
	}
	f.places = d.places
	d.version(&f)
	if len(d.errors) == 0 {
		d.ids(&f)
	}
	if len(d.errors) > 0 {
		return nil, d.errors.sorted()
	}
	return &f, nil
}

// syntax reports that the text is no YAML at all.
func (d *decoder) syntax(err error) {
	var problem yaml.Error
	if !errors.As(err, &problem) || problem.GetToken() == nil {
		d.errors = append(d.errors, &Error{File: d.places.file, Problem: "is no YAML"})
		return
	}
	at := problem.GetToken().Position
	e := d.places.problem(position{at.Line, at.Column}, "this is no valid YAML: "+problem.GetMessage())
	if !keyInLine.MatchString(e.Source) {
		// A line that belongs to something unfinished may be part of a credential.
		e.Source = hidden
	}
	d.errors = append(d.errors, e)
}

func (d *decoder) version(f *File) {
	if len(d.errors) > 0 {
		return
	}
	for _, field := range []struct{ key, value, want string }{
		{"apiVersion", f.APIVersion, APIVersion}, {"kind", f.Kind, Kind},
	} {
		if field.value == field.want {
			continue
		}
		at, given := d.places.at[field.key]
		if !given {
			at = position{1, 1}
		}
		d.errors = append(d.errors, d.places.problem(at, fmt.Sprintf("the file is no answers file of this version: it needs %q", field.key+": "+field.want)))
	}
}

// ids holds the IDs of waivers and of the customer's own checks against the catalogue.
func (d *decoder) ids(f *File) {
	catalogue, err := checklist.Load()
	if err != nil {
		d.errors = append(d.errors, &Error{File: d.places.file, Problem: err.Error()})
		return
	}
	seen := map[string]bool{}
	for i, c := range f.Custom {
		if seen[c.ID] {
			d.failPath(fmt.Sprintf("custom[%d].id", i), "%q is the ID of another check already", c.ID)
		}
		seen[c.ID] = true
	}
	catalogue = catalogue.With("N.2", f.CustomItems())
	waived := map[string]bool{}
	for i, w := range f.Waivers {
		path := fmt.Sprintf("waivers[%d].id", i)
		item, known := catalogue.Item(w.ID)
		switch {
		case !known:
			d.failPath(path, "there is no item %s%s", w.ID, suggestion(checklist.Nearest(w.ID, ids(catalogue))))
		case waived[w.ID]:
			d.failPath(path, "item %s is waived twice", w.ID)
		case item.Kind == checklist.Option:
			d.failPath(path, "item %s is a choice of %s and has no verdict of its own: waive %s", w.ID, item.Parent, item.Parent)
		case item.Kind == checklist.Group:
			d.failPath(path, "item %s is as good as the worst of its children: waive those", w.ID)
		case item.Kind == checklist.Derived:
			d.failPath(path, "item %s is computed from other items: waive those", w.ID)
		}
		waived[w.ID] = true
	}
}

func ids(c *checklist.Catalogue) []string {
	var all []string
	for _, item := range c.Items() {
		all = append(all, item.ID)
	}
	return all
}

// suggestion is the end of a message that says what may have been meant.
func suggestion(near []string) string {
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near[0])
}

// newDecoder splits the text into the lines that errors show.
func newDecoder(path string, text []byte) *decoder {
	return &decoder{
		folder: filepath.Dir(path),
		places: places{file: path, lines: strings.Split(string(text), "\n"), at: map[string]position{}},
	}
}
