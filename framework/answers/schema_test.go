package answers

import (
	"bytes"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/testdata"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("answers.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("answers.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate holds a YAML text against the schema.
func validate(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestExampleIsCompleteAndValid(t *testing.T) {
	f, err := Parse("answers.example.yaml", testdata.AnswersExample)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, compiled(t), testdata.AnswersExample); err != nil {
		t.Error(err)
	}
	c, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range c.Items() {
		for _, path := range append([]string{item.Answer, item.Written}, item.Needs...) {
			if _, set := f.At(path); path != "" && !set {
				t.Errorf("the example does not answer %s, which %s needs", path, item.ID)
			}
		}
	}
	for _, contact := range f.Contacts() {
		if !contact.Reachable() {
			t.Errorf("the example does not say how to reach %s", contact.Path)
		}
	}
}

func TestSchemaAgreesWithTheLoader(t *testing.T) {
	schema := compiled(t)
	for text, good := range map[string]bool{
		"":                                                                     true,
		"cluster: {version: 1.33}":                                             true,
		"cluster: {version: latest}":                                           false,
		"cluster: {cpuNodes: -1}":                                              false,
		"cluster: {vesrion: \"1.33\"}":                                         false,
		"prometheus: {installed: Yes}":                                         true,
		"prometheus: {installed: maybe}":                                       false,
		"storageQuotas: {perUser: 10Gi}":                                       true,
		"storageQuotas: {perUser: 10 GB}":                                      false,
		"storageClass: {backend: ceph-rdb}":                                    false,
		"backup: {rpo: 1h30m, rto: 2w}":                                        true,
		"backup: {rpo: soon}":                                                  false,
		"entra: {secretExpires: 2027-02-30}":                                   false,
		"entra: {secretExpires: 2027-02-28}":                                   true,
		"entra: {clientId: 11111111-2222-3333-4444-555555555555}":              true,
		"entra: {clientId: abc}":                                               false,
		"registry: {password: {env: A}}":                                       true,
		"registry: {password: {env: A, file: b}}":                              false,
		"registry: {password: literal}":                                        false,
		"registry: {password: {secret: {name: a}}}":                            false,
		"support: {sla: {uptime: 99.9 %}}":                                     true,
		"support: {sla: {uptime: 101}}":                                        false,
		"deployment: {window: {start: 2027-01-16 18:00 Europe/Berlin}}":        true,
		"deployment: {window: {start: 2027-01-16 18:00}}":                      false,
		"deployment: {window: {start: \"2027-01-16T18:00:00+01:00\"}}":         true,
		"custom: [{id: a, title: A, target: {dns: x.y}}]":                      true,
		"custom: [{id: a, title: A}]":                                          false,
		"custom: [{id: a, title: A, target: {dns: x.y, tcp: \"x.y:1\"}}]":      false,
		"waivers: [{id: 6.2.3, reason: r, expires: 2027-01-01}]":               false,
		"runner: {tolerations: [{key: a, operator: Exists}]}":                  true,
		"groups: {other: []}":                                                  true,
		"gpu: {nodeSelector: {a: b}, taints: [\"nvidia.com/gpu:NoSchedule\"]}": true,
	} {
		_, loadErr := Parse("answers.yaml", []byte(head+text))
		schemaErr := validate(t, schema, []byte(head+text))
		if (loadErr == nil) != good || (schemaErr == nil) != good {
			t.Errorf("%s: expected %t\nloader: %v\nschema: %v", text, good, loadErr, schemaErr)
		}
	}
}
