// Package console is how the lab says what it does: one line a step, with how long it took.
package console

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Console writes lines; several goroutines may use it.
type Console struct {
	mutex   sync.Mutex
	out     io.Writer
	started time.Time
}

// New returns a console whose clock starts now.
func New(out io.Writer) *Console { return &Console{out: out, started: time.Now()} }

// Say writes one line, led by the seconds since the start.
func (c *Console) Say(format string, arguments ...any) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	fmt.Fprintf(c.out, "%6.1fs  %s\n", time.Since(c.started).Seconds(), fmt.Sprintf(format, arguments...))
}

// Print writes text as it is.
func (c *Console) Print(format string, arguments ...any) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	fmt.Fprintf(c.out, format, arguments...)
}

// Step runs one step and says that it is done. A failed one is left to the caller to report.
func (c *Console) Step(what string, step func() error) error {
	began := time.Now()
	if err := step(); err != nil {
		return err
	}
	c.Say("%s (%.1f s)", what, time.Since(began).Seconds())
	return nil
}
