// Package redact keeps secrets out of everything that leaves the process: terminal, JUnit,
// JSON, HTML and artifacts. One Redactor knows every value that was loaded from a secret
// reference, in the forms in which it travels (plain, base64, escaped), and the shapes that
// secrets have wherever they come from (private keys, tokens, Authorization headers). It
// never judges whether a text should have held a secret: it only removes it.
package redact

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Replacement stands in the text where a secret was.
const Replacement = "[redacted]"

// shortest is the length in bytes from which a value is redacted. Shorter ones would
// blank out ordinary words and numbers, and are no secrets.
const shortest = 4

// Redactor removes known values and secret-shaped text. It is safe for concurrent use.
type Redactor struct {
	mutex   sync.RWMutex
	needles []string
	known   map[string]bool
}

// New returns a Redactor that knows no value yet, only the shapes of secrets.
func New() *Redactor {
	return &Redactor{known: map[string]bool{}}
}

// Add makes r remove secret, and every form of it that forms lists. Values shorter than
// four bytes are ignored.
func (r *Redactor) Add(secret string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, form := range forms(secret) {
		if len(form) >= shortest && !r.known[form] {
			r.known[form] = true
			r.needles = append(r.needles, form)
		}
	}
}

// String returns s without secrets.
func (r *Redactor) String(s string) string {
	return replace(s, r.spans(s))
}

// span is a half-open range of bytes that hold a secret.
type span struct{ from, to int }

// spans returns where secrets are in s, in order, without overlaps.
func (r *Redactor) spans(s string) []span {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	found := shapes(s)
	for _, needle := range r.needles {
		for from := 0; ; {
			at := strings.Index(s[from:], needle)
			if at < 0 {
				break
			}
			found = append(found, span{from + at, from + at + len(needle)})
			from += at + 1 // not + len: a value may overlap itself
		}
	}
	return merge(found)
}

// merge sorts spans and joins those that touch, so that two secrets side by side, or one
// inside the other, leave one replacement and no remains.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var merged []span
	for _, s := range spans {
		if last := len(merged) - 1; last >= 0 && s.from <= merged[last].to {
			merged[last].to = max(merged[last].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

func replace(s string, spans []span) string {
	if len(spans) == 0 {
		return s
	}
	var out strings.Builder
	from := 0
	for _, hidden := range spans {
		out.WriteString(s[from:hidden.from])
		out.WriteString(Replacement)
		from = hidden.to
	}
	out.WriteString(s[from:])
	return out.String()
}
