package answers

import (
	"strings"
	"testing"

	"aiv.internal/conformance/testdata"
)

// FuzzParse holds that no text makes the loader panic.
func FuzzParse(f *testing.F) {
	f.Add(string(testdata.AnswersExample), 40)
	f.Add(head+"registry:\n  password: "+canary+"\n", 60)
	f.Add(head+"registry: &x {password: *x, url: [\n", 60)
	f.Add(head+"gitlab: {token: ? , url: \"\t\"}\ncustom:\n- \n- id:\n", 70)
	f.Fuzz(func(t *testing.T, text string, cutAt int) {
		// A text that breaks off anywhere, as while somebody is typing.
		if cutAt >= 0 && cutAt < len(text) {
			_, _ = Parse("answers.yaml", []byte(text[:cutAt]))
		}
		_, _ = Parse("answers.yaml", []byte(text))
	})
}

// TestCutOff breaks a file off after each of its characters: it must neither panic nor show what
// stands behind the key of a credential.
func TestCutOff(t *testing.T) {
	text := head + `registry:
  url: registry.aiv.internal
  password: "` + canary + `"
certificates:
  privateKey: |
    ` + canary + `
gitlab: {token: ` + canary + `, url: x}
custom: [{id: a, title: A, http: {url: https://x.y, headers: {X-Token: ` + canary + `}}}]
`
	for i := range text {
		if _, err := Parse("answers.yaml", []byte(text[:i])); err != nil && strings.Contains(err.Error(), canary) {
			t.Fatalf("cut off after %d characters:\n%v", i, err)
		}
	}
}
