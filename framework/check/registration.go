package check

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/checklist"
)

// A registration mistake is a defect of a suite: an ID that the catalogue does not have, a
// second check for an item, an item without one. Mistakes are collected while Ginkgo
// builds its tree and reported together, before anything touches the cluster.
var registry = struct {
	places   map[string]string
	mistakes []string
}{places: map[string]string{}}

func mistake(place, format string, args ...any) {
	registry.mistakes = append(registry.mistakes, place+": "+fmt.Sprintf(format, args...))
}

// register notes that the caller checks an item, and returns the item and where it is
// checked. The second result is false for an item that the catalogue does not have.
func register(id string, skip int) (checklist.Item, string, bool) {
	place := callerPlace(skip + 1)
	item, known := session.catalogue.Item(id)
	if !known {
		mistake(place, "the catalogue has no item %q", id)
		return item, place, false
	}
	if item.Kind == checklist.Option {
		mistake(place, "item %s is an option of %s: it has no verdict of its own", id, item.Parent)
		return item, place, false
	}
	if earlier, twice := registry.places[id]; twice {
		mistake(place, "item %s is already checked at %s", id, earlier)
		return item, place, false
	}
	registry.places[id] = place
	return item, place, true
}

// callerPlace returns "suites/…/file.go:line" of the caller that is skip frames up.
func callerPlace(skip int) string {
	_, file, line, _ := runtime.Caller(skip + 1)
	return fmt.Sprintf("%s:%d", sourcePath(file), line)
}

// sourcePath cuts a compiled-in file name down to the path from the repository's root.
func sourcePath(file string) string {
	for _, top := range []string{"/suites/", "/framework/", "/cmd/"} {
		if at := strings.LastIndex(file, top); at >= 0 {
			return file[at+1:]
		}
	}
	return path.Base(file)
}

// Mistakes builds the tree without running it and returns what is wrong with the
// registrations, items without a check included. Only a process that runs no specs may
// call it. Derived items and headings are computed, not checked.
func Mistakes(catalogue *checklist.Catalogue, file *answers.File) []string {
	session.catalogue, session.answers = catalogue, file
	session.everything = true
	ginkgo.PreviewSpecs("conformance")
	for _, item := range catalogue.Items() {
		_, checked := registry.places[item.ID]
		needed := item.Kind == checklist.Probe || item.Kind == checklist.Attest
		switch {
		case needed && !checked:
			mistake("testdata/checklist.yaml", "item %s %q has no check: write one, or list it as pending", item.ID, item.Title)
		case !needed && checked:
			mistake(registry.places[item.ID], "item %s is %s: its verdict is computed from others", item.ID, item.Kind)
		}
	}
	return slices.Clone(registry.mistakes)
}
