// Command gen writes the JSON Schema of the answers file from the Go types and their comments.
// It is run by "go generate" in the folder of package answers; the runner embeds the result, so
// that neither the generator nor the sources are needed at run time.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/answers"
)

const (
	module = "aiv.internal/conformance/framework/answers"
	// The schema's address is its name only; nothing is fetched from there.
	address = "https://conformance.aiv.internal/schemas/answers/v1.json"
	output  = "../../testdata/answers.schema.json"
)

func main() {
	schema, err := generate()
	if err == nil {
		err = os.WriteFile(output, schema, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// generate returns the schema. It reads the sources of package answers in the working folder.
func generate() ([]byte, error) {
	reflector := &jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Mapper: mapped}
	if err := reflector.AddGoComments(module, "./"); err != nil {
		return nil, err
	}
	for name, comment := range reflector.CommentMap {
		reflector.CommentMap[name] = strings.Join(strings.Fields(comment), " ")
	}
	schema := reflector.Reflect(&answers.File{})
	schema.ID = address
	schema.Title = "Answers to the AIV Production Requirements Checklist"
	refine(schema)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(schema)
	return text.Bytes(), err
}

// mapped returns the schema of the types that are no struct in the file, nil for all others.
func mapped(t reflect.Type) *jsonschema.Schema {
	text := func(pattern string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: pattern}
	}
	number := &jsonschema.Schema{Type: "number", Minimum: "0"}
	switch t {
	case reflect.TypeFor[answers.Date]():
		return &jsonschema.Schema{Type: "string", Format: "date"}
	case reflect.TypeFor[answers.Time]():
		return text(`^\d{4}-\d\d-\d\d([ ]\d\d:\d\d [A-Za-z_/+-]+|T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))$`)
	case reflect.TypeFor[answers.Duration]():
		return text(`^(\d+ ?[dwy]|(\d+(\.\d+)?(ms|s|m|h) ?)+)$`)
	case reflect.TypeFor[answers.Quantity]():
		return either(text(`^\d+(\.\d+)?([KMGTPE]i|[kMGTPE])?$`), number)
	case reflect.TypeFor[answers.Percent]():
		return either(text(`^\d+(\.\d+)? ?%?$`), &jsonschema.Schema{Type: "number", Minimum: "0", Maximum: "100"})
	case reflect.TypeFor[answers.Value]():
		return either(&jsonschema.Schema{Type: "string"}, &jsonschema.Schema{Ref: "#/$defs/Secret"})
	case reflect.TypeFor[corev1.Toleration]():
		return toleration()
	}
	if enum, is := reflect.Zero(t).Interface().(interface{ Enum() []string }); is {
		schema := &jsonschema.Schema{Type: "string"}
		for _, choice := range enum.Enum() {
			schema.Enum = append(schema.Enum, choice)
		}
		return schema
	}
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Enum: []any{true, false, "yes", "no", "Yes", "No"}}
	case reflect.Int:
		return &jsonschema.Schema{Type: "integer", Minimum: "0"}
	}
	return nil
}

func either(schemas ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: schemas}
}

// toleration is Kubernetes' own type, whose comments are not in reach.
func toleration() *jsonschema.Schema {
	properties := jsonschema.NewProperties()
	properties.Set("key", &jsonschema.Schema{Type: "string", Description: "Key of the taint; every key if left out."})
	properties.Set("operator", &jsonschema.Schema{Type: "string", Enum: []any{"Exists", "Equal"}, Description: "Equal if left out."})
	properties.Set("value", &jsonschema.Schema{Type: "string", Description: "Value of the taint, for Equal."})
	properties.Set("effect", &jsonschema.Schema{Type: "string", Enum: []any{"NoSchedule", "PreferNoSchedule", "NoExecute"}, Description: "Every effect if left out."})
	properties.Set("tolerationSeconds", &jsonschema.Schema{Type: "integer", Minimum: "0", Description: "For NoExecute: how long."})
	return &jsonschema.Schema{Type: "object", Properties: properties, AdditionalProperties: jsonschema.FalseSchema}
}

// refine adds what the types say beyond their shape: examples, and which keys exclude each other.
func refine(schema *jsonschema.Schema) {
	visit(reflect.TypeFor[answers.File](), map[reflect.Type]bool{}, func(t reflect.Type, field reflect.StructField) {
		definition := schema.Definitions[t.Name()]
		if definition == nil {
			return
		}
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		property, known := definition.Properties.Get(key)
		if !known {
			return
		}
		if field.Tag.Get("form") == "version" {
			property.AnyOf = either(&jsonschema.Schema{Type: "string", Pattern: `^v?\d+\.\d+(\.\d+)?([-+].*)?$`}, &jsonschema.Schema{Type: "number"}).AnyOf
			property.Type, property.Examples = "", []any{field.Tag.Get("example")}
		}
		if format := field.Tag.Get("form"); format == "guid" {
			property.Format = "uuid"
		} else if format == "url" {
			property.Format = "uri"
		} else if format == "slug" {
			property.Pattern, property.MaxLength = `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`, ptr.To(uint64(59))
		}
		if example := field.Tag.Get("example"); example != "" && property.Type == "string" {
			property.Examples = []any{example}
		}
	})
	for name, definition := range schema.Definitions {
		// A key without a value below it is not answered yet, so that a file can be filled in by and by.
		if definition.Type == "object" && len(definition.Required) == 0 && name != "Secret" {
			definition.Type = ""
			definition.Extras = map[string]any{"type": []string{"object", "null"}}
		}
	}
	set := func(name, key, value string) {
		property, _ := schema.Definitions[name].Properties.Get(key)
		property.Const = value
	}
	set("File", "apiVersion", answers.APIVersion)
	set("File", "kind", answers.Kind)
	schema.Definitions["Secret"].OneOf = oneOf("env", "file", "secret")
	schema.Definitions["Custom"].OneOf = oneOf("object", "http", "target", "image")
	schema.Definitions["TargetCheck"].OneOf = oneOf("dns", "tcp", "tls")
	schema.Definitions["ObjectCheck"].OneOf = oneOf("name", "labelSelector")
}

func oneOf(keys ...string) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for _, key := range keys {
		all = append(all, &jsonschema.Schema{Required: []string{key}})
	}
	return all
}

// visit calls do for every field of every struct below t.
func visit(t reflect.Type, seen map[reflect.Type]bool, do func(reflect.Type, reflect.StructField)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] || t.PkgPath() != module {
		return
	}
	seen[t] = true
	for _, field := range reflect.VisibleFields(t) {
		if !field.IsExported() {
			continue
		}
		do(t, field)
		visit(field.Type, seen, do)
	}
}
