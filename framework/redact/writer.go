package redact

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxHeld bounds what a Writer keeps back, in bytes: a key file is far smaller.
const maxHeld = 64 << 10

// pemStart begins a key file.
const pemStart = "-----BEGIN "

// openShape is the end of a line that could go on as a key file or a token.
var openShape = regexp.MustCompile(`(?:-----BEGIN [A-Z0-9 ]*-{0,5}|\beyJ[A-Za-z0-9_.-]*)$`)

// Writer redacts a stream. A secret may arrive in two writes, so what could be the start of
// one is held back until the next write or Flush; all other text passes at once.
type Writer struct {
	redactor *Redactor
	out      io.Writer
	mutex    sync.Mutex
	held     string
}

// Writer returns a writer that passes to out what is written, without secrets. Call Flush
// after the last write.
func (r *Redactor) Writer(out io.Writer) *Writer {
	return &Writer{redactor: r, out: out}
}

// Write implements io.Writer. It reports len(p) unless out fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	text := w.held + string(p)
	spans := w.redactor.spans(text)
	cut := w.redactor.openEnd(text, spans)
	if len(text)-cut > maxHeld {
		cut = len(text)
	}
	w.held = text[cut:]
	if err := w.pass(text[:cut], spans); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what was held back.
func (w *Writer) Flush() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	text := w.held
	w.held = ""
	return w.pass(text, w.redactor.spans(text))
}

// pass writes text; spans may reach beyond it, since they were found in a longer one.
func (w *Writer) pass(text string, spans []span) error {
	var within []span
	for _, s := range spans {
		if s.from < len(text) {
			within = append(within, span{s.from, min(s.to, len(text))})
		}
	}
	if text == "" {
		return nil
	}
	_, err := io.WriteString(w.out, replace(text, within))
	return err
}

// openEnd returns the index in text from which the next write could still make a secret, or
// a longer one: a span that touches the end, an unfinished key file, the beginning of a value.
func (r *Redactor) openEnd(text string, spans []span) int {
	cut := len(text)
	if n := len(spans); n > 0 && spans[n-1].to == len(text) {
		cut = spans[n-1].from
	}
	if at := openShape.FindStringIndex(text[strings.LastIndex(text, "\n")+1:]); at != nil {
		cut = min(cut, len(text)-(at[1]-at[0]))
	}
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	for _, needle := range append(slices.Clip(r.needles), pemStart) {
		for n := min(len(needle)-1, len(text)); n > 0; n-- {
			if strings.HasSuffix(text, needle[:n]) {
				cut = min(cut, len(text)-n)
				break
			}
		}
	}
	for _, s := range spans {
		if s.from < cut && cut < s.to {
			return s.from // a cut inside a secret would leave its second half unknown
		}
	}
	return cut
}
