package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The scripts are of the kind that GitLab Runner's bash writer makes.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		code  int
		out   string
	}{
		{"gitlab's job script", []string{"--login"}, `set -eo pipefail
set +o noclobber
: | eval $'export DIR="` + dir + `"\nmkdir -p "$DIR/a.tmp"\nprintf \'%s\' $\'line 1\nline 2\' > "$DIR/a.tmp/ANSWERS"\nexport ANSWERS="$DIR/a.tmp/ANSWERS"\ncd "$DIR/a.tmp"\necho $\'\x1b[32;1m$ cat\x1b[0;m\'\ncat ANSWERS\nrm -r -f "$DIR/a.tmp"\n'
exit 0
`, 0, "\x1b[32;1m$ cat\x1b[0;m\nline 1\nline 2"},
		{"first failure ends it", []string{"-e"}, "false\necho not reached\n", 1, ""},
		{"exit code", []string{"-c", "exit 4"}, "", 4, ""},
		{"clustered options", []string{"-ec", "false; echo no"}, "", 1, ""},
		{"arguments", []string{"-c", `echo "$1"`, "sh", "one"}, "", 0, "one\n"},
		{"detection of shells", []string{"-c", "if [ -x /does/not/exist ]; then echo bash; elif [ -x " + os.Args[0] + " ]; then echo here; fi"}, "", 0, "here\n"},
		{"default values", []string{"-c", `F=; echo a ${F:+--focus="$F"} b; F=gpu; printf '<%s>' ${F:+--focus="$F"}`}, "", 0, "a b\n<--focus=gpu>"},
		{"unknown command", []string{"-c", "flyaway"}, "", 127, ""},
		{"a command's own failure", []string{"-c", "cat /does/not/exist || echo handled"}, "", 0, "handled\n"},
		{"syntax", []string{"-c", "if"}, "", 2, ""},
		{"pipe and redirection", []string{"-c", "cd " + dir + " && echo hi | tee x > y && cat x y && mv x z && ls && cp z w && rm z w y && chmod 700 . && touch t && sleep 0.01 && rm -f t none"}, "", 0, "hi\nhi\ny\nz\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := shell(t.Context(), c.args, strings.NewReader(c.stdin), &out, &errs); code != c.code || out.String() != c.out {
				t.Errorf("exit %d, printed %q, want %d, %q\n%s", code, out.String(), c.code, c.out, errs.String())
			}
		})
	}
}

func TestScriptFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := shell(t.Context(), []string{path}, strings.NewReader(""), &out, &errs); code != 0 || out.String() != "from a file\n" {
		t.Errorf("exit %d, %q, %s", code, out.String(), errs.String())
	}
}
