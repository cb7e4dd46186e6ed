package answers

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Error is one mistake in the answers file, with its place.
type Error struct {
	File         string
	Line, Column int
	// Problem is what is wrong and how it is written right.
	Problem string
	// Source is the line, with everything hidden in it that may be a credential.
	Source string
}

// Error renders the place, the problem, and the line with a mark below its column.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Problem)
	}
	margin := fmt.Sprintf("%5d | ", e.Line)
	mark := strings.Repeat(" ", len(margin)-2) + "| " + strings.Repeat(" ", max(0, e.Column-1)) + "^"
	return fmt.Sprintf("%s:%d:%d: %s\n%s%s\n%s", e.File, e.Line, e.Column, e.Problem, margin, e.Source, mark)
}

// Errors are all mistakes of an answers file, in the order of their lines.
type Errors []*Error

// Error renders all of them.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As each of them.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}

// hidden stands in the shown line for what may be a credential.
const hidden = "[hidden]"

var (
	// A value behind a key that sounds like a credential, up to the end of the line.
	secretInLine = regexp.MustCompile(`(?i)((?:authorization|token|secret|passw|passphrase|credential|cookie|bearer|key|pat\b)[\w.-]*["']?\s*[:=]\s*)\S.*$`)
	keyInLine    = regexp.MustCompile(`^\s*(- +)*["']?[A-Za-z0-9_./-]+["']?\s*:( |$)`)
)

// longestLine is how many characters of a line are shown.
const longestLine = 160

// clean returns the line without what may be a credential.
func clean(line string) string {
	line = secretInLine.ReplaceAllString(strings.TrimRight(line, "\r"), "${1}"+hidden)
	if runes := []rune(line); len(runes) > longestLine {
		line = string(runes[:longestLine]) + "…"
	}
	return line
}

// cut returns the line up to a column, with the rest hidden.
func cut(line string, column int) string {
	runes := []rune(line)
	start := clean(string(runes[:min(max(column-1, 0), len(runes))]))
	switch {
	case strings.HasSuffix(start, hidden):
		return start
	case start == "" || strings.HasSuffix(start, " ") || strings.HasSuffix(start, "["):
		return start + hidden
	}
	return start + ": " + hidden
}
