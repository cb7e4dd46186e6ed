// Package finding holds the one shape in which this suite says that something is not as it
// should be: what was expected, what was found, why it probably is so and what to do. It
// knows nothing of Ginkgo or Kubernetes clients, so that every package can return one.
package finding

import (
	"errors"
	"strings"
)

// Finding is an error for the person who must act. The report adds whom to call.
type Finding struct {
	// Expected is what the checklist or the answers file says.
	Expected string `json:"expected,omitempty"`
	// Found is what was measured.
	Found string `json:"found"`
	// Why is the likely cause.
	Why string `json:"why,omitempty"`
	// Do is the next step of the person who reads it.
	Do string `json:"do,omitempty"`
	// Undecided marks an environment that kept the check from deciding: a missing
	// permission of the runner, a busy resource, an unreachable network.
	Undecided bool `json:"undecided,omitempty"`

	cause error
}

// Failed returns a finding that says the requirement is not met.
func Failed(expected, found, why, do string) *Finding {
	return &Finding{Expected: expected, Found: found, Why: why, Do: do}
}

// NotDecided returns a finding that says the requirement could not be measured.
func NotDecided(expected, found, why, do string) *Finding {
	return &Finding{Expected: expected, Found: found, Why: why, Do: do, Undecided: true}
}

// Because returns f with err as the cause that errors.Is and errors.As see.
func (f *Finding) Because(err error) *Finding {
	f.cause = err
	return f
}

// Error renders the finding as labelled lines, empty ones left out.
func (f *Finding) Error() string {
	var lines []string
	for _, part := range []struct{ label, text string }{
		{"expected", f.Expected}, {"found", f.Found}, {"why", f.Why}, {"do", f.Do},
	} {
		if part.text != "" {
			lines = append(lines, part.label+": "+part.text)
		}
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the underlying error, nil if there is none.
func (f *Finding) Unwrap() error { return f.cause }

// As returns the finding in err's chain, nil if there is none.
func As(err error) *Finding {
	var f *Finding
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// SeeItem turns what another item fails for into an undecided finding that points there; nil
// stays nil, and an error that decides nothing stays as it is.
func SeeItem(err error, item string) error {
	f := As(err)
	if f == nil || f.Undecided {
		return err
	}
	return NotDecided(f.Expected, f.Found, f.Why, "see item "+item).Because(err)
}

// Undecide returns a failure as undecided: it is real, but not what the item asks.
func Undecide(err error) error {
	f := As(err)
	if f == nil || f.Undecided {
		return err
	}
	return NotDecided(f.Expected, f.Found, f.Why, f.Do).Because(err)
}
