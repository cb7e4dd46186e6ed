package answers

import (
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml/ast"
)

const referenceForms = "{env: NAME}, {file: PATH} or {secret: {name: NAME, key: KEY}}"

// secret reads a reference and refuses everything that may be the credential itself, without
// showing it.
func (d *decoder) secret(node ast.Node, target reflect.Value, path string) {
	if _, mapping := node.(ast.MapNode); !mapping {
		d.failHidden(node, node.GetToken().Position.Column, "%s: a credential itself has no place in this file, only a reference to it: %s", path, referenceForms)
		return
	}
	pairs, _ := d.pairs(node, path, "")
	fields := fieldsOf(secretType)
	for _, pair := range pairs {
		key := pair.Key.GetToken()
		if _, known := fields[key.Value]; !known {
			d.failHiddenAt(key, key.Position.Column+len([]rune(key.Value)), "%s: %q is no kind of reference; write %s", path, key.Value, referenceForms)
			return
		}
	}
	var reference Secret
	before := len(d.errors)
	d.structure(node, reflect.ValueOf(&reference).Elem(), path)
	if len(d.errors) == before {
		target.Set(reflect.ValueOf(reference))
		return
	}
	for _, e := range d.errors[before:] {
		// Even a wrong reference may hold the credential: {env: hunter2!}.
		e.Source = cut(d.places.line(e.Line), e.Column)
		e.Problem = fmt.Sprintf("%s: this is no reference; write %s", path, referenceForms)
	}
}

// textOrSecret reads a text, or a reference where the name or the text sounds like a credential.
func (d *decoder) textOrSecret(node ast.Node, target reflect.Value, path string) {
	var value Value
	if _, mapping := node.(ast.MapNode); mapping {
		d.secret(node, reflect.ValueOf(&value.Secret).Elem(), path)
		target.Set(reflect.ValueOf(value))
		return
	}
	text, ok := textOf(node)
	switch {
	case !ok:
		d.failHidden(node, node.GetToken().Position.Column, "%s: a text or a reference is expected%s", path, quoting(node))
	case secretName.MatchString(lastKey(path)) || secretText.MatchString(text):
		d.failHidden(node, node.GetToken().Position.Column, "%s: this sounds like a credential, for which only a reference has a place in this file: %s", path, referenceForms)
	default:
		value.Text = text
		target.Set(reflect.ValueOf(value))
	}
}
