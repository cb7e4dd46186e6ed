package answers

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// position is a place in the file, counted from 1.
type position struct{ line, column int }

// places remembers where each answer stands.
type places struct {
	file  string
	lines []string
	at    map[string]position
}

func (p *places) note(path string, at *token.Token) {
	if at != nil {
		p.at[path] = position{at.Position.Line, at.Position.Column}
	}
}

func (p *places) line(n int) string {
	if n < 1 || n > len(p.lines) {
		return ""
	}
	return p.lines[n-1]
}

func (p *places) problem(at position, text string) *Error {
	return &Error{File: p.file, Line: at.line, Column: at.column, Problem: text, Source: clean(p.line(at.line))}
}

// Wrong returns an error at an answer: path is its key, such as "custom[0].object.expect". It is
// for mistakes that only who uses the answer can see.
func (f *File) Wrong(path, format string, args ...any) *Error {
	return f.places.problem(f.places.at[path], fmt.Sprintf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// fieldsOf returns the fields of a struct by their keys, those of embedded structs included.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for _, field := range reflect.VisibleFields(t) {
		if key := keyOf(field); key != "" {
			fields[key] = field
		}
	}
	return fields
}

// keyOf returns the key of a field in the file, "" if it has none. Types of Kubernetes have only
// the names of their JSON.
func keyOf(field reflect.StructField) string {
	if !field.IsExported() || field.Anonymous {
		return ""
	}
	tag, ok := field.Tag.Lookup("yaml")
	if !ok {
		tag = field.Tag.Get("json")
	}
	name, _, _ := strings.Cut(tag, ",")
	return name
}

// textOf returns the value of a text, false if the node is none.
func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

// numberText returns a number as it is written, "" if the node is none.
func numberText(node ast.Node) string {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return node.GetToken().Value
	}
	return ""
}

// describe names what stands in the file, without what may be long.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", n.Value)
	case *ast.LiteralNode:
		return "a text of several lines"
	case *ast.BoolNode:
		return fmt.Sprintf("the yes or no %q", n.GetToken().Value)
	case *ast.IntegerNode, *ast.FloatNode:
		return "the number " + n.GetToken().Value
	}
	return fmt.Sprintf("%q", node.GetToken().Value)
}

// quoting helps where YAML takes a text for something else.
func quoting(node ast.Node) string {
	switch node.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		return fmt.Sprintf(": write %q in quotes", node.GetToken().Value)
	}
	return ""
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func below(path string) string {
	if path == "" {
		return ""
	}
	return " below " + path
}

func orFile(path string) string {
	if path == "" {
		return "the answers file"
	}
	return path
}

// lastKey returns the last key of a path; in maps it may hold dots, then it is the last part.
func lastKey(path string) string { return path[strings.LastIndex(path, ".")+1:] }
