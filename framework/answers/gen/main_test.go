package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/invopop/jsonschema"

	"aiv.internal/conformance/testdata"
)

// sources makes package answers the working folder, as it is under "go generate".
func sources(t *testing.T) {
	t.Helper()
	t.Chdir("..")
}

func TestSchemaIsCurrent(t *testing.T) {
	sources(t)
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(output); err != nil || !bytes.Equal(got, want) {
		t.Errorf("testdata/answers.schema.json is not what the types say (%v): run go generate ./framework/answers", err)
	}
	if !bytes.Equal(testdata.AnswersSchema, want) {
		t.Error("the embedded schema is another one")
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	var schema jsonschema.Schema
	if err := schema.UnmarshalJSON(testdata.AnswersSchema); err != nil {
		t.Fatal(err)
	}
	if len(schema.Definitions) < 50 {
		t.Errorf("only %d definitions", len(schema.Definitions))
	}
	for name, definition := range schema.Definitions {
		if definition.Properties == nil {
			continue
		}
		for pair := definition.Properties.Oldest(); pair != nil; pair = pair.Next() {
			if pair.Value.Description == "" {
				t.Errorf("%s.%s has no comment in the Go sources", name, pair.Key)
			}
		}
	}
}
