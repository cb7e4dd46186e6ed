package answers

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"aiv.internal/conformance/framework/checklist"
)

// decoder fills a File from the syntax tree. The YAML library's own decoder stops at the first
// mistake and shows the lines around it, credentials included; this one does neither.
type decoder struct {
	folder  string
	places  places
	errors  Errors
	anchors map[string]ast.Node
}

// problem is what a type finds wrong in itself: at one of its keys, or "" for the whole.
type problem struct{ key, text string }

type validator interface{ validate() []problem }

// requirement is a key that must be there.
type requirement struct {
	key  string
	met  bool
	what string
}

func required(all ...requirement) []problem {
	var problems []problem
	for _, r := range all {
		if !r.met {
			problems = append(problems, problem{text: fmt.Sprintf("%q is missing: %s", r.key, r.what)})
		}
	}
	return problems
}

var (
	secretType = reflect.TypeFor[Secret]()
	valueType  = reflect.TypeFor[Value]()
)

func (d *decoder) root(node ast.Node, f *File) {
	d.anchors = map[string]ast.Node{}
	d.value(node, reflect.ValueOf(f).Elem(), "", "")
}

// value fills target from node. form is the rule for texts, or "".
func (d *decoder) value(node ast.Node, target reflect.Value, path, form string) {
	node, ok := d.resolve(node)
	if !ok {
		return
	}
	if _, null := node.(*ast.NullNode); null || node == nil {
		return
	}
	d.places.note(path, node.GetToken())
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		d.value(node, target.Elem(), path, form)
		return
	}
	switch target.Type() {
	case secretType:
		d.secret(node, target, path)
		return
	case valueType:
		d.textOrSecret(node, target, path)
		return
	}
	if word, is := target.Addr().Interface().(scalar); is {
		if text, plain := d.word(node, path); plain {
			if err := word.parse(text); err != nil {
				d.fail(node, "%s: %s", path, err)
			}
		}
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		d.structure(node, target, path)
	case reflect.Slice:
		d.list(node, target, path, form)
	case reflect.Map:
		d.dictionary(node, target, path)
	case reflect.Bool:
		d.boolean(node, target, path)
	case reflect.Int, reflect.Int64:
		d.integer(node, target, path)
	case reflect.String:
		d.text(node, target, path, form)
	}
}

// resolve follows anchors and aliases.
func (d *decoder) resolve(node ast.Node) (ast.Node, bool) {
	for {
		switch n := node.(type) {
		case *ast.AnchorNode:
			d.anchors[n.Name.GetToken().Value] = n.Value
			node = n.Value
		case *ast.AliasNode:
			name := n.Value.GetToken().Value
			anchored, known := d.anchors[name]
			if !known {
				d.fail(n, "there is no anchor &%s before this", name)
				return nil, false
			}
			node = anchored
		case *ast.TagNode:
			d.failHidden(n, n.GetToken().Position.Column, "tags such as %s are not used in an answers file", n.GetToken().Value)
			return nil, false
		default:
			return node, true
		}
	}
}

// pairs returns the keys and values of a mapping.
func (d *decoder) pairs(node ast.Node, path, what string) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	d.fail(node, "%s: %s stands where keys and values are expected%s", orFile(path), describe(node), what)
	return nil, false
}

func (d *decoder) structure(node ast.Node, target reflect.Value, path string) {
	pairs, ok := d.pairs(node, path, "")
	if !ok {
		return
	}
	fields := fieldsOf(target.Type())
	seen := map[string]bool{}
	before := len(d.errors)
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		field, known := fields[key]
		switch {
		case !known:
			end := pair.Key.GetToken().Position.Column + len([]rune(key))
			d.failHiddenAt(pair.Key.GetToken(), end, "unknown key %q%s%s", key, below(path), suggestion(checklist.Nearest(key, slices.Sorted(maps.Keys(fields)))))
			continue
		case seen[key]:
			d.failKey(pair, "%q stands twice%s", key, below(path))
			continue
		}
		seen[key] = true
		d.value(pair.Value, target.FieldByIndex(field.Index), join(path, key), field.Tag.Get("form"))
	}
	if check, is := target.Interface().(validator); is && len(d.errors) == before {
		d.validated(node, check, path)
	}
}

// validated reports what a type finds wrong in itself.
func (d *decoder) validated(node ast.Node, check validator, path string) {
	for _, p := range check.validate() {
		at := path
		if p.key != "" {
			at = join(path, p.key)
		}
		if _, written := d.places.at[at]; written && p.key != "" {
			d.failPath(at, "%s", p.text)
			continue
		}
		d.fail(node, "%s: %s", at, p.text)
	}
}

func (d *decoder) list(node ast.Node, target reflect.Value, path, form string) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fail(node, "%s: %s stands where a list is expected: write each entry in a line of its own after a hyphen", path, describe(node))
		return
	}
	list := reflect.MakeSlice(target.Type(), len(sequence.Values), len(sequence.Values))
	for i, entry := range sequence.Values {
		d.value(entry, list.Index(i), fmt.Sprintf("%s[%d]", path, i), form)
	}
	target.Set(list)
}

func (d *decoder) dictionary(node ast.Node, target reflect.Value, path string) {
	pairs, ok := d.pairs(node, path, "")
	if !ok {
		return
	}
	entries := reflect.MakeMapWithSize(target.Type(), len(pairs))
	for _, pair := range pairs {
		key := reflect.ValueOf(pair.Key.GetToken().Value)
		if entries.MapIndex(key).IsValid() {
			d.failKey(pair, "%q stands twice%s", key, below(path))
			continue
		}
		value := reflect.New(target.Type().Elem()).Elem()
		d.value(pair.Value, value, path+"."+key.String(), "")
		entries.SetMapIndex(key, value)
	}
	target.Set(entries)
}

// boolean accepts the checklist's own Yes and No too.
func (d *decoder) boolean(node ast.Node, target reflect.Value, path string) {
	switch strings.ToLower(node.GetToken().Value) {
	case "true", "yes":
		target.SetBool(true)
	case "false", "no":
		target.SetBool(false)
	default:
		d.fail(node, "%s: %s stands where yes or no is expected", path, describe(node))
	}
}

func (d *decoder) integer(node ast.Node, target reflect.Value, path string) {
	n, err := strconv.ParseInt(node.GetToken().Value, 10, 32)
	if _, is := node.(*ast.IntegerNode); !is || err != nil || n < 0 {
		d.fail(node, "%s: %s stands where a whole number is expected", path, describe(node))
		return
	}
	target.SetInt(n)
}

func (d *decoder) text(node ast.Node, target reflect.Value, path, form string) {
	text, ok := textOf(node)
	if number := numberText(node); form == "version" && number != "" {
		// YAML takes 1.30 for a number, but not 1.30.2.
		text, ok = number, true
	}
	if !ok {
		d.fail(node, "%s: %s stands where a text is expected%s", path, describe(node), quoting(node))
		return
	}
	if choices, is := target.Interface().(interface{ Enum() []string }); is && !slices.Contains(choices.Enum(), text) {
		near := suggestion(checklist.Nearest(text, choices.Enum()))
		d.fail(node, "%s: %q is none of %s%s", path, text, strings.Join(choices.Enum(), ", "), near)
		return
	}
	if check := forms[form]; check != nil && text != "" {
		if err := check(text); err != nil {
			d.failText(node, path, text, err)
			return
		}
	}
	if form == "path" && text != "" && !filepath.IsAbs(text) {
		text = filepath.Join(d.folder, text)
	}
	target.SetString(text)
}

// failText hides the text where it may hold a credential.
func (d *decoder) failText(node ast.Node, path, text string, err error) {
	if errors.Is(err, errHoldsSecret) || errors.Is(err, errSecretQuery) || errors.Is(err, errArgument) || strings.Contains(text, "@") || secretText.MatchString(text) {
		d.failHidden(node, node.GetToken().Position.Column, "%s: %s", path, strings.ReplaceAll(err.Error(), text, hidden))
		return
	}
	d.fail(node, "%s: %s", path, err)
}

// word returns the text of a value that is one word, however YAML understands it: 1.30 is not 1.3.
func (d *decoder) word(node ast.Node, path string) (string, bool) {
	switch node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode:
		return node.GetToken().Value, true
	}
	d.fail(node, "%s: %s stands where one word is expected", path, describe(node))
	return "", false
}

func (d *decoder) fail(node ast.Node, format string, args ...any) {
	d.failAt(node.GetToken(), format, args...)
}

func (d *decoder) failKey(pair *ast.MappingValueNode, format string, args ...any) {
	d.failAt(pair.Key.GetToken(), format, args...)
}

func (d *decoder) failAt(at *token.Token, format string, args ...any) {
	d.errors = append(d.errors, d.places.problem(position{at.Position.Line, at.Position.Column}, fmt.Sprintf(format, args...)))
}

func (d *decoder) failPath(path, format string, args ...any) {
	d.errors = append(d.errors, d.places.problem(d.places.at[path], fmt.Sprintf("%s: %s", path, fmt.Sprintf(format, args...))))
}

// failHidden reports a problem and shows the line only up to a column.
func (d *decoder) failHidden(node ast.Node, column int, format string, args ...any) {
	d.failHiddenAt(node.GetToken(), column, format, args...)
}

func (d *decoder) failHiddenAt(at *token.Token, column int, format string, args ...any) {
	e := d.places.problem(position{at.Position.Line, at.Position.Column}, fmt.Sprintf(format, args...))
	e.Source = cut(d.places.line(at.Position.Line), column)
	d.errors = append(d.errors, e)
}
