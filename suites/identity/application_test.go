package identity

import (
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// The directory's secrets are told apart by their first characters, which it does not know of
// all of them.
func TestWhichSecretItIs(t *testing.T) {
	now := time.Now()
	secret := func(id, hint string, days int) passwordCredential {
		return passwordCredential{KeyID: id, Hint: hint, End: now.Add(time.Duration(days) * day)}
	}
	hint := rightSecret[:3]
	for name, test := range map[string]struct {
		all []passwordCredential
		// want is the one found, "" for none.
		want, words string
		undecided   bool
	}{
		"one that fits":                 {[]passwordCredential{secret("a", "abc", 9), secret("b", hint, 200)}, "b", "", false},
		"one that fits, others unknown": {[]passwordCredential{secret("a", "", 9), secret("b", hint, 200), secret("c", "", 400)}, "b", "", false},
		"unknown, ends as answered":     {[]passwordCredential{secret("a", "", 200), secret("b", hint, 100)}, "b", "set entra.secretExpires", false},
		"only an unknown one is left":   {[]passwordCredential{secret("a", "abc", 9), secret("b", "", 200)}, "b", "", false},
		"unknown ones":                  {[]passwordCredential{secret("a", "", 200), secret("b", "", 400)}, "", "2 client secrets", true},
		"unknown ones of one day":       {[]passwordCredential{secret("a", "", 200), secret("b", "", 200)}, "a", "", false},
		"unknown, one expired":          {[]passwordCredential{secret("a", "", -9), secret("b", "", 200)}, "b", "", false},
		"expired since":                 {[]passwordCredential{secret("a", hint, -1)}, "a", "it has expired", false},
		"none that fits":                {[]passwordCredential{secret("a", "abc", 200)}, "", "none of the application's 1", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := judgeSecretDate(test.all, rightSecret, dateIn(200*day), 30, now)
			f := finding.As(err)
			if got.KeyID != test.want || (err == nil) != (test.words == "") || !strings.Contains(textOf(err), test.words) || f != nil && f.Undecided != test.undecided {
				t.Errorf("%s, %v", got.KeyID, err)
			}
		})
	}
}

// No advice asks for a permission that lets the application change the directory.
func TestNoAdviceToLetItWrite(t *testing.T) {
	c, d, a := newCloud(t)
	c.roles = nil
	err := proveSecretDate(t.Context(), d, a)
	if f := finding.As(err); f == nil || !f.Undecided || !strings.Contains(f.Do, toReadApplications) || strings.Contains(f.Do, "Write") {
		t.Errorf("%v", err)
	}
}
