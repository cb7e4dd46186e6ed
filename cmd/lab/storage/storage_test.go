package storage

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDialLongPath dials a socket whose path is longer than a socket address can hold, as
// that of a state folder deep in a build machine's folders may be.
func TestDialLongPath(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("folder/", 20))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(deep, "csi.sock")
	if err := dial(t.Context(), path); err == nil {
		t.Error("no error without a socket")
	}
	// The listener is reached by a short way to the same folder.
	short := filepath.Join(os.TempDir(), "lab-test-"+filepath.Base(t.TempDir()))
	if err := os.Symlink(deep, short); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(short) })
	listener, err := net.Listen("unix", filepath.Join(short, "csi.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	if err := dial(t.Context(), path); err != nil {
		t.Error(err)
	}
}
