package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/probe"
)

func TestExitCodes(t *testing.T) {
	t.Setenv(probe.ResultVariable, filepath.Join(t.TempDir(), "result"))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		args string
		want int
	}{
		{"exit 7", 7},
		{"exit", 2},
		{"", 2},
		{"fly", 2},
		{"disk", 2},
		{"disk write", 2},
		{"disk write --dir=/x --colour=red", 2},
		{"disk write --dir=/does/not/exist", 0}, // measured: it is not there
		{"tcp 127.0.0.1:1", 0},
		{"tls 127.0.0.1:1 --ca=/does/not/exist", 1},
		{"outward --allowed=127.0.0.1:1 --forbidden=127.0.0.1:1", 0},
		{"outward --allowed", 2},
		{"outward 127.0.0.1:1", 2},
		{"gpu --expect=many", 2},
		{"gpu 1", 2},
		{"serve", 2},
		{"serve --token=t --tls-port=8443", 2},
		{"serve --token=t --port=-1", 1},
		{"reach", 2},
		{"reach --token=t --target=udp:1", 2},
		{"reach --token=t --listen=-1", 1},
		{"copy", 2},
		{"copy /does/not/exist", 1},
		{"sleep", 0}, // told to end
		{"sleep 1", 2},
		{"sleep 1ms", 0},
	} {
		t.Run(c.args, func(t *testing.T) {
			ctx := t.Context()
			if c.args == "sleep" {
				ctx = stopped
			}
			var out, errs bytes.Buffer
			if got := run(ctx, strings.Fields(c.args), &out, &errs); got != c.want {
				t.Errorf("exit %d, want %d\n%s", got, c.want, errs.String())
			}
		})
	}
}

func TestResultIsLeftAndPrinted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result")
	t.Setenv(probe.ResultVariable, path)
	var out, errs bytes.Buffer
	args := probe.DiskOptions{Dir: t.TempDir(), MiB: 1, Seed: 3}.Args("write")
	if code := run(t.Context(), args, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	message, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(out.String()) != string(message) {
		t.Fatalf("%v: left %q, printed %q", err, message, out.String())
	}
	if result, err := probe.Decode[probe.DiskResult](message); err != nil || result.Written.Bytes != 1<<20 {
		t.Errorf("%+v %v", result, err)
	}
}
