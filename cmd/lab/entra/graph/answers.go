package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Sizes of a page.
const (
	defaultPage = 100
	largestPage = 999
)

// answer is what a request that succeeds gets.
type answer interface{ write(http.ResponseWriter) }

// object is one thing of the directory.
type object map[string]any

func (o object) write(w http.ResponseWriter) { writeJSON(w, o) }

// count is a bare number.
type count int

func (c count) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprint(w, int(c))
}

func writeJSON(w http.ResponseWriter, content any) {
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	json.NewEncoder(w).Encode(content)
}

// context is the annotation that says what an answer is about.
func (r *request) context(of string) string { return r.base + Version + "/$metadata#" + of }

// one answers with one object.
func (r *request) one(of string, o object) (answer, *problem) {
	found := r.selected(o)
	found["@odata.context"] = r.context(of + "/$entity")
	return found, nil
}

// many answers with one page of the objects that the request's filter lets through.
func (r *request) many(of string, all []object) (answer, *problem) {
	query := r.URL.Query()
	all, refused := filtered(all, query.Get("$filter"))
	if refused != nil {
		return nil, refused
	}
	size := defaultPage
	if top := query.Get("$top"); top != "" {
		n, err := strconv.Atoi(top)
		if err != nil || n < 1 || n > largestPage {
			return nil, badRequest("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", top, largestPage)
		}
		size = n
	}
	from, _ := strconv.Atoi(query.Get("$skiptoken"))
	if from < 0 || from > len(all) {
		return nil, badRequest("Invalid skip token.")
	}
	to := min(from+size, len(all))
	page := object{"@odata.context": r.context(of), "value": r.allSelected(all[from:to])}
	if to < len(all) {
		page["@odata.nextLink"] = r.next(to)
	}
	return page, nil
}

// next is the address of the next page.
func (r *request) next(from int) string {
	query := r.URL.Query()
	query.Set("$skiptoken", strconv.Itoa(from))
	return r.base + (&url.URL{Path: r.URL.Path}).EscapedPath() + "?" + query.Encode()
}

func (r *request) allSelected(all []object) []object {
	page := make([]object, 0, len(all))
	for _, o := range all {
		page = append(page, r.selected(o))
	}
	return page
}

// selected leaves of an object what the request asks for. Annotations always stay.
func (r *request) selected(o object) object {
	names := strings.FieldsFunc(r.URL.Query().Get("$select"), func(c rune) bool { return c == ',' || c == ' ' })
	kept := object{}
	for name, value := range o {
		if len(names) == 0 || strings.HasPrefix(name, "@") {
			kept[name] = value
		}
	}
	for _, name := range names {
		if value, has := o[name]; has {
			kept[name] = value
		}
	}
	return kept
}

var clause = regexp.MustCompile(`^\s*(\w+)\s+eq\s+'([^']*)'\s*$`)

// filtered understands one comparison: property eq 'value'.
func filtered(all []object, filter string) ([]object, *problem) {
	if filter == "" {
		return all, nil
	}
	parts := clause.FindStringSubmatch(filter)
	if parts == nil {
		return nil, badRequest("Invalid filter clause: %s", filter)
	}
	var found []object
	for _, o := range all {
		if value, isText := o[parts[1]].(string); isText && strings.EqualFold(value, parts[2]) {
			found = append(found, o)
		}
	}
	return found, nil
}
