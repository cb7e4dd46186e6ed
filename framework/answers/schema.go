package answers

import "aiv.internal/conformance/testdata"

// Schema returns the JSON Schema of the answers file.
func Schema() []byte { return testdata.AnswersSchema }
