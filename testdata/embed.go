// Package testdata holds the files that are shipped inside the binary: the catalogue of the
// checklist and what belongs to the answers file. It has no code of its own.
package testdata

import _ "embed"

// Catalogue is checklist.yaml, read by package checklist.
//
//go:embed checklist.yaml
var Catalogue []byte

// Checklist is the customer's document, as it was agreed with them.
//
//go:embed checklist.md
var Checklist []byte

// AnswersSchema is the JSON Schema of the answers file, written by framework/answers/gen.
//
//go:embed answers.schema.json
var AnswersSchema []byte

// AnswersExample is an answers file that is filled in completely.
//
//go:embed answers.example.yaml
var AnswersExample []byte
