package report

import (
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/verdict"
)

// Redactor hides secrets in a text.
type Redactor interface{ String(string) string }

// Redact hides secrets in everything that results say, before it is rendered: afterwards, a
// secret that looks like markup would break the file.
func Redact(results []verdict.Result, redactor Redactor) {
	for i := range results {
		r := &results[i]
		r.Reason, r.Log = redactor.String(r.Reason), redactor.String(r.Log)
		if r.Finding != nil {
			hidden := redactFinding(*r.Finding, redactor)
			r.Finding = &hidden
		}
		for w := range r.Warnings {
			r.Warnings[w] = redactFinding(r.Warnings[w], redactor)
		}
		for e := range r.Evidence {
			r.Evidence[e].Value = redactValue(r.Evidence[e].Value, redactor)
		}
	}
}

func redactFinding(f finding.Finding, redactor Redactor) finding.Finding {
	for _, text := range []*string{&f.Expected, &f.Found, &f.Why, &f.Do} {
		*text = redactor.String(*text)
	}
	return f
}

// redactValue hides secrets in a value that came as JSON from a worker.
func redactValue(value any, redactor Redactor) any {
	switch v := value.(type) {
	case string:
		return redactor.String(v)
	case []any:
		for i := range v {
			v[i] = redactValue(v[i], redactor)
		}
	case map[string]any:
		for key := range v {
			v[key] = redactValue(v[key], redactor)
		}
	}
	return value
}
