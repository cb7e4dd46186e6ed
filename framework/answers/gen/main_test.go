package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

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
	var schema struct {
		Definitions map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(testdata.AnswersSchema, &schema); err != nil {
		t.Fatal(err)
	}
	if len(schema.Definitions) < 50 {
		t.Errorf("only %d definitions", len(schema.Definitions))
	}
	for name, definition := range schema.Definitions {
		for key, property := range definition.Properties {
			if property.Description == "" {
				t.Errorf("%s.%s has no comment in the Go sources", name, key)
			}
		}
	}
}
