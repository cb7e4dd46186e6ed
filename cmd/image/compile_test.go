package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// copied is the repository's files, as they are in the working tree, in another folder.
func copied(t *testing.T) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	command.Dir = "../.."
	list, err := command.Output()
	if err != nil {
		t.Skip("the sources are not in a Git repository: ", err)
	}
	root := t.TempDir()
	for name := range strings.SplitSeq(strings.Trim(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		put(t, root, name, string(content))
	}
	return root
}

// The image of the real sources, built from two folders, one after the other.
func TestSameSourcesMakeTheSameDigest(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles")
	}
	needDebian(t)
	var digests []string
	for _, source := range []string{"../..", copied(t)} {
		output := filepath.Join(t.TempDir(), "image")
		digests = append(digests, digestOf(made(t, "--version=1.2.3", "--arch="+runtime.GOARCH, "--source="+source, "--output="+output)))
	}
	if digests[0] != digests[1] || digests[0] == "" {
		t.Errorf("digests: %s", digests)
	}
}

func TestProbesAreSmallAndFindWhatTheyNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles")
	}
	layer := realLayer(t)
	o := options{source: "../..", architecture: runtime.GOARCH, runner: "none", shell: "none"}
	programs, err := compile(t.Context(), o, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const most = 12 << 20
	for _, p := range programs {
		if !strings.HasPrefix(p.name, "probe") {
			continue
		}
		content, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > most {
			t.Errorf("%s has %d bytes", p.name, len(content))
		}
		needs(t, p.name, string(content), layer)
	}
}
