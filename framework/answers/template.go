package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const templateHead = `# Answers to the AIV Production Requirements Checklist.
#
# Every key that can be set is in this file. To answer one, remove the # before it and write your value in the place of
# the example. What is not answered is reported as "not answered". What was found in the cluster is filled in already:
# it says what is there; look whether it is what should be there.
#
# No credential has a place in this file. Where one is needed, refer to it in one of three ways:
#   {env: NAME}                          an environment variable of the runner
#   {file: PATH}                         a file; a relative path starts at the folder of this file
#   {secret: {name: NAME, key: KEY}}     a Secret in JupyterHub's namespace
# What nobody can measure is vouched for: by whom, on which day, and with a link or document as evidence.
#
# "runner schema" prints the JSON Schema, for editors that complete and check YAML by it.
`

// Template returns a complete, commented answers file: every key with its description, with the
// value that was found or else commented out with an example. It loads as it is.
func Template(found Discovered) []byte {
	file, notes := found.file()
	w := &templateWriter{descriptions: descriptions(), described: map[string]bool{}, notes: notes}
	w.out.WriteString(templateHead)
	w.structure(reflect.ValueOf(file).Elem(), "", block{})
	return w.out.Bytes()
}

// descriptions returns those of the schema by type and key: "Cluster.version".
func descriptions() map[string]string {
	var schema struct {
		Types map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	// The schema is built in and tested; without descriptions the file is still complete.
	_ = json.Unmarshal(Schema(), &schema)
	all := map[string]string{}
	for name, definition := range schema.Types {
		for key, property := range definition.Properties {
			all[name+"."+key] = property.Description
		}
	}
	return all
}

type templateWriter struct {
	out          bytes.Buffer
	descriptions map[string]string
	// described remembers what was explained: contacts and attestations occur very often.
	described map[string]bool
	notes     map[string]string
}

// block is where lines are written: how far they are indented, and whether all of them are
// commented out, from which column on.
type block struct {
	indent  int
	example bool
	column  int
}

func (b block) deeper() block {
	b.indent += 2
	return b
}

// commented returns the same place with all of its lines commented out.
func (b block) commented() block {
	if !b.example {
		b.example, b.column = true, b.indent
	}
	return b
}

func (w *templateWriter) line(b block, text string) {
	if b.example {
		fmt.Fprintf(&w.out, "%s#%s%s\n", strings.Repeat(" ", b.column), strings.Repeat(" ", b.indent-b.column), text)
		return
	}
	fmt.Fprintf(&w.out, "%s%s\n", strings.Repeat(" ", b.indent), text)
}

// structure writes all keys of a struct.
func (w *templateWriter) structure(v reflect.Value, path string, at block) {
	for _, field := range reflect.VisibleFields(v.Type()) {
		key := keyOf(field)
		if key == "" {
			continue
		}
		if path == "" {
			w.out.WriteString("\n")
		}
		w.explain(v.Type(), field, join(path, key), at)
		w.field(field, key, v.FieldByIndex(field.Index), join(path, key), at)
	}
}

func (w *templateWriter) field(field reflect.StructField, key string, v reflect.Value, path string, at block) {
	example := field.Tag.Get("example")
	elem := v.Type()
	if elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice {
		elem = elem.Elem()
	}
	nested := elem.Kind() == reflect.Struct && elem.PkgPath() == reflect.TypeFor[File]().PkgPath() && !isScalar(elem) && elem != valueType
	switch {
	case v.Type() == secretType:
		w.line(at.commented(), key+": "+secretExample(path))
	case nested && v.Kind() == reflect.Slice:
		w.line(at.commented(), key+":")
		w.line(at.deeper().commentedFrom(at), "-")
		w.structure(reflect.New(elem).Elem(), path+"[0]", at.deeper().deeper().commentedFrom(at))
	case nested && v.Kind() == reflect.Pointer:
		w.line(at.commented(), key+":")
		w.structure(reflect.New(elem).Elem(), path, at.deeper().commentedFrom(at))
	case nested:
		w.line(at, key+":")
		w.structure(v, path, at.deeper())
	case isSet(v):
		w.line(at, key+": "+written(v))
	default:
		w.line(at.commented(), key+": "+exampleOf(field.Type, example))
	}
}

// commentedFrom comments out b's lines from the column of the key that they belong to.
func (b block) commentedFrom(key block) block {
	b.example, b.column = true, key.commented().column
	return b
}

// descriptionWidth is the longest line of a description.
const descriptionWidth = 116

// explain writes the description of a key, once for each type that has it.
func (w *templateWriter) explain(parent reflect.Type, field reflect.StructField, path string, at block) {
	owner := parent
	for _, index := range field.Index[:len(field.Index)-1] {
		owner = owner.Field(index).Type
	}
	name := owner.Name() + "." + keyOf(field)
	text := w.descriptions[parent.Name()+"."+keyOf(field)]
	if w.described[name] {
		text = ""
	}
	w.described[name] = true
	if choices := choicesOf(field.Type); choices != nil && text != "" {
		text += " One of: " + strings.Join(choices, ", ") + "."
	}
	if note := w.notes[path]; note != "" {
		text = strings.TrimSpace(text + " " + note)
	}
	for _, line := range wrapped(text, descriptionWidth-at.indent) {
		w.line(at, "# "+line)
	}
}

func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func isScalar(t reflect.Type) bool {
	_, is := reflect.New(t).Interface().(scalar)
	return is
}

// choicesOf returns the values that a text or its list may have, nil if any.
func choicesOf(t reflect.Type) []string {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if choices, is := reflect.Zero(t).Interface().(interface{ Enum() []string }); is {
		return choices.Enum()
	}
	return nil
}

// secretExample makes the name of a variable from the key: "registry.password" is REGISTRY_PASSWORD.
func secretExample(path string) string {
	name := regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "")
	name = regexp.MustCompile(`([a-z0-9])([A-Z])`).ReplaceAllString(name, "${1}_$2")
	return "{env: " + strings.ToUpper(strings.NewReplacer(".", "_").Replace(name)) + "}"
}

// exampleOf renders the example of a field as YAML.
func exampleOf(t reflect.Type, example string) string {
	switch {
	case t.Kind() == reflect.Slice && isPlain(t.Elem()):
		var entries []string
		for _, entry := range strings.Split(example, ",") {
			entries = append(entries, quoted(entry))
		}
		return "[" + strings.Join(entries, ", ") + "]"
	case t.Kind() == reflect.Slice:
		return "[" + example + "]"
	case t.Kind() == reflect.Map:
		key, value, _ := strings.Cut(example, "=")
		return "{" + quoted(key) + ": " + quoted(value) + "}"
	case isPlain(t):
		return quoted(example)
	}
	return yesOrNo(example)
}

func isPlain(t reflect.Type) bool { return t.Kind() == reflect.String }

// written renders an answer as YAML.
func written(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if text, is := v.Addr().Interface().(fmt.Stringer); is {
		return text.String()
	}
	switch v.Kind() {
	case reflect.Slice:
		var entries []string
		for i := range v.Len() {
			entries = append(entries, written(v.Index(i)))
		}
		return "[" + strings.Join(entries, ", ") + "]"
	case reflect.Map:
		var entries []string
		texts := v.Interface().(map[string]string)
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			entries = append(entries, quoted(key)+": "+quoted(texts[key]))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case reflect.String:
		return quoted(v.String())
	}
	return yesOrNo(fmt.Sprint(v.Interface()))
}

func yesOrNo(text string) string {
	switch text {
	case "true":
		return "yes"
	case "false":
		return "no"
	}
	return text
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z/.+*][\w./@%+:*?=-]*( [\w./@%+*()-]+)*$`)
	otherText = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|null|\.inf|\.nan)$|: |:$|^\*`)
)

// quoted renders a text so that YAML takes it for one.
func quoted(text string) string {
	if plainText.MatchString(text) && !otherText.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}
