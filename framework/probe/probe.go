// Package probe measures: what a volume does with data, how far a connection gets, whether a
// GPU computes, and, as a server, what reaches a pod and how. Its functions run in a throwaway pod, through cmd/probe, and in the runner
// itself. Each returns a small result that says what was seen, good or bad; only what kept it
// from measuring at all is an error. It judges nothing: the checks do.
//
// It needs no more than the standard library, golang.org/x/sys and a WebSocket library that has
// no dependencies, so that the program in the pod stays small.
package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// ResultVariable overrides where a result is written.
	ResultVariable = "PROBE_RESULT"
	// terminationLog is where the kubelet takes a container's termination message from.
	terminationLog = "/dev/termination-log"
	// maxResult is what the kubelet keeps of it, in bytes.
	maxResult = 4096
	// maxText bounds one text in a result, so that all together fit into maxResult.
	maxText = 300
)

// Trouble is why something did not work, sorted by what a reader must do about it.
type Trouble struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Kinds of Trouble.
const (
	ReadOnly      = "read-only filesystem"
	NoSpace       = "no space left"
	QuotaExceeded = "disk quota exceeded"
	Denied        = "permission denied"
	Missing       = "no such file"
	IOError       = "input/output error"
	Stale         = "stale file handle"
	NoLocks       = "locks not supported"
	Timeout       = "timeout"
	Refused       = "connection refused"
	Reset         = "connection reset"
	NoRoute       = "no route"
	NoSuchHost    = "no such host"
	DNSFailure    = "DNS failure"
	BadCert       = "bad certificate"
	NotTLS        = "no TLS"
	BadStatus     = "unexpected status"
	BadAnswer     = "unexpected answer"
	Stopped       = "stopped"
	Other         = "other"
)

func (t *Trouble) Error() string { return t.Kind + ": " + t.Message }

// troubleOf sorts an error of files or of our own context; nil for nil.
func troubleOf(err error) *Trouble {
	if err == nil {
		return nil
	}
	var already *Trouble
	if errors.As(err, &already) {
		return already
	}
	kind := Other
	for _, known := range []struct {
		err  error
		kind string
	}{
		{syscall.EROFS, ReadOnly}, {syscall.ENOSPC, NoSpace}, {syscall.EDQUOT, QuotaExceeded},
		{syscall.EACCES, Denied}, {syscall.EPERM, Denied}, {syscall.ENOENT, Missing},
		{syscall.EIO, IOError}, {syscall.ESTALE, Stale},
		{syscall.ENOLCK, NoLocks}, {syscall.ENOSYS, NoLocks}, {syscall.EOPNOTSUPP, NoLocks},
	} {
		if errors.Is(err, known.err) {
			kind = known.kind
			break
		}
	}
	return &Trouble{Kind: kind, Message: short(err.Error())}
}

// short cuts a text to what a result has room for.
func short(text string) string { return shortTo(maxText, text) }

// shortTo cuts a text to limit bytes, between two characters.
func shortTo(limit int, text string) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:max(0, limit-3)], "") + "..."[:min(3, limit)]
}

// milliseconds renders a duration for a result.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// Write renders result as JSON into the container's termination message, or the file that
// ResultVariable names. A result that is too large is an error: a cut one could not be read.
func Write(result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("render the result: %w", err)
	}
	if len(text) > maxResult {
		return fmt.Errorf("the result has %d bytes, and a termination message %d", len(text), maxResult)
	}
	path := os.Getenv(ResultVariable)
	if path == "" {
		path = terminationLog
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// Decode reads a result from a pod's termination message. A message that is none, such as
// the last words of a program that could not start, is an error that holds it.
func Decode[T any](message []byte) (T, error) {
	var result T
	if err := json.Unmarshal(message, &result); err != nil {
		return result, fmt.Errorf("the probe left no result but %q", short(string(message)))
	}
	return result, nil
}
