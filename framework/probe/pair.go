package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pairPoll is how often a half looks for the other's files: no filesystem tells one node
// what another did.
const pairPoll = 100 * time.Millisecond

// halfSize is what each half writes into the common file, in bytes.
const halfSize = 64 << 10

// PairOptions make one of two pods that use one volume at the same time. Start one with Name
// "a" and one with "b", with the same Session.
type PairOptions struct {
	Dir string
	// Name is "a", which holds the lock, or "b", which is to be refused it.
	Name string
	// Session keeps apart what earlier pairs left in the volume.
	Session string
	// Wait bounds each step: how long the other pod may take to start, and to answer.
	Wait time.Duration
}

// Args returns the arguments with which cmd/probe does the same.
func (o PairOptions) Args() []string {
	return []string{"disk", "pair", "--dir=" + o.Dir, "--name=" + o.Name, "--session=" + o.Session, "--wait=" + o.Wait.String()}
}

// PairResult is what one half saw of the other. Both halves report the same locks: "b" finds
// out, and "a" reads it in the volume.
type PairResult struct {
	Name   string `json:"name"`
	Volume Volume `json:"volume"`
	// Met says that the other half's file appeared at all.
	Met bool `json:"met"`
	// Shared says that both wrote into one file at the same time and each saw the other's bytes.
	Shared bool `json:"shared"`
	// SeenAfter is how many milliseconds the other's bytes took to be seen here.
	SeenAfter float64 `json:"seenAfter"`
	Locks
	Trouble *Trouble `json:"trouble,omitempty"`
	Step    string   `json:"step,omitempty"`
}

// Locks is what POSIX record locks (fcntl(2), as SQLite uses them) did between two nodes.
type Locks struct {
	// LockTaken: "a" got the lock. LockHonoured: "b" was refused it while "a" held it.
	// LockReleased: "b" got it after "a" let go.
	LockTaken    bool `json:"lockTaken"`
	LockHonoured bool `json:"lockHonoured"`
	LockReleased bool `json:"lockReleased"`
}

// pair is one half at work.
type pair struct {
	PairOptions
	ctx    context.Context
	other  string
	result PairResult
}

// DiskPair plays one half of a pair.
func DiskPair(ctx context.Context, o PairOptions) PairResult {
	p := &pair{PairOptions: o, ctx: ctx, other: map[string]string{"a": "b", "b": "a"}[o.Name]}
	p.result.Name = o.Name
	if p.other == "" {
		p.result.Step, p.result.Trouble = "start", &Trouble{Kind: Other, Message: fmt.Sprintf("a half is called a or b, not %q", o.Name)}
		return p.result
	}
	lock := p.hold
	if o.Name == "b" {
		lock = p.tryLock
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"look at the volume", p.look},
		{"meet the other pod's file", p.meet},
		{"write one file together", p.share},
		{"lock", lock},
	} {
		if err := step.do(); err != nil {
			p.result.Step, p.result.Trouble = step.name, troubleOf(err)
			break
		}
	}
	return p.result
}

func (p *pair) look() (err error) {
	p.result.Volume, err = volumeOf(p.Dir)
	return err
}

// meet shows that both halves stand on the same filesystem.
func (p *pair) meet() error {
	if err := p.say("here", []byte(p.Name)); err != nil {
		return err
	}
	_, err := p.hear("here")
	p.result.Met = err == nil
	return err
}

// share has both write their half of one file, and wait to see the other's.
func (p *pair) share() error {
	file, err := os.OpenFile(p.file("shared"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteAt(half(p.Name, p.Session), offset(p.Name)); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	started := time.Now()
	want, found := half(p.other, p.Session), make([]byte, halfSize)
	err = p.until("the other half of the common file", func() (bool, error) {
		// Opened anew: NFS promises the other's bytes at open (close-to-open), not before.
		again, err := os.Open(p.file("shared"))
		if err != nil {
			return false, err
		}
		defer again.Close()
		n, _ := again.ReadAt(found, offset(p.other)) // short while the other has not written
		return bytes.Equal(found[:n], want), nil
	})
	p.result.Shared, p.result.SeenAfter = err == nil, milliseconds(time.Since(started))
	return err
}

// hold is a's part: take the lock, let b try, let go, and read what b found.
func (p *pair) hold() error {
	file, err := os.OpenFile(p.file("lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := setLock(file, unix.F_WRLCK); err != nil {
		_ = p.say("locked", []byte("no"))
		return fmt.Errorf("take a lock that nobody holds: %w", err)
	}
	p.result.LockTaken = true
	if err := p.say("locked", []byte("yes")); err != nil {
		return err
	}
	if _, err := p.hear("tried"); err != nil {
		return err
	}
	if err := setLock(file, unix.F_UNLCK); err != nil {
		return fmt.Errorf("let go of the lock: %w", err)
	}
	if err := p.say("released", nil); err != nil {
		return err
	}
	seen, err := p.hear("done")
	if err != nil {
		return err
	}
	return json.Unmarshal(seen, &p.result.Locks)
}

// tryLock is b's part: it must be refused while a holds the lock, and not after.
func (p *pair) tryLock() error {
	answer, err := p.hear("locked")
	if err != nil {
		return err
	}
	if p.result.LockTaken = string(answer) == "yes"; !p.result.LockTaken {
		return &Trouble{Kind: NoLocks, Message: "the other pod could not take a lock"}
	}
	file, err := os.OpenFile(p.file("lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	err = setLock(file, unix.F_WRLCK)
	p.result.LockHonoured = refused(err)
	if err != nil && !refused(err) {
		return fmt.Errorf("try a lock that another pod holds: %w", err)
	}
	if err := p.say("tried", nil); err != nil {
		return err
	}
	if _, err := p.hear("released"); err != nil {
		return err
	}
	err = p.until("the released lock", func() (bool, error) {
		err := setLock(file, unix.F_WRLCK)
		if refused(err) {
			return false, nil
		}
		return err == nil, err
	})
	p.result.LockReleased = err == nil
	text, _ := json.Marshal(p.result.Locks)
	return errors.Join(err, p.say("done", text))
}

// setLock sets or clears a POSIX record lock on the whole file, without waiting for it.
func setLock(file *os.File, kind int16) error {
	return unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: kind})
}

// refused tells a lock that another holds (EAGAIN or EACCES, fcntl(2)) from one that failed.
func refused(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES)
}

func (p *pair) file(name string) string {
	return filepath.Join(p.Dir, fmt.Sprintf("conformance-pair-%s-%s", p.Session, name))
}

// say leaves a message for the other half: whole or not at all, by rename.
func (p *pair) say(word string, text []byte) error {
	temporary := p.file(p.Name + "-" + word + ".tmp")
	if err := os.WriteFile(temporary, text, 0o666); err != nil {
		return err
	}
	return os.Rename(temporary, p.file(p.Name+"-"+word))
}

// hear waits for the other half's message.
func (p *pair) hear(word string) (text []byte, err error) {
	err = p.until("the other pod's "+word, func() (bool, error) {
		// Listing the folder makes network filesystems ask the server for its names.
		if _, err := os.ReadDir(p.Dir); err != nil {
			return false, err
		}
		text, err = os.ReadFile(p.file(p.other + "-" + word))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESTALE) {
			return false, nil
		}
		return err == nil, err
	})
	return text, err
}

// until looks again and again until done, an error, or the end of the time.
func (p *pair) until(what string, done func() (bool, error)) error {
	limit := time.NewTimer(p.Wait)
	defer limit.Stop()
	ticker := time.NewTicker(pairPoll)
	defer ticker.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-p.ctx.Done():
			return stopped(p.ctx.Err())
		case <-limit.C:
			return &Trouble{Kind: Timeout, Message: fmt.Sprintf("%s did not come in %v", what, p.Wait)}
		case <-ticker.C:
		}
	}
}

// half returns the bytes that a half writes: its own, and different in every session.
func half(name, session string) []byte {
	return bytes.Repeat([]byte(name+session+"|"), halfSize/(len(name+session)+1)+1)[:halfSize]
}

func offset(name string) int64 {
	if name == "a" {
		return 0
	}
	return halfSize
}
