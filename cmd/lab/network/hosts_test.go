package network

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHosts(t *testing.T) {
	block := hostsBegin + "\n" + HostLines() + hostsEnd + "\n"
	for _, test := range []struct{ name, before, added, removed string }{
		{"plain", "127.0.0.1 localhost\n", "127.0.0.1 localhost\n" + block, "127.0.0.1 localhost\n"},
		{"no newline at the end", "127.0.0.1 localhost", "127.0.0.1 localhost\n" + block, "127.0.0.1 localhost\n"},
		{"added before", "127.0.0.1 a\n" + block + "127.0.0.2 b\n", "127.0.0.1 a\n127.0.0.2 b\n" + block, "127.0.0.1 a\n127.0.0.2 b\n"},
		{"block without end", hostsBegin + "\n" + HostLines() + "127.0.0.2 b\n", "127.0.0.2 b\n" + block, "127.0.0.2 b\n"},
		{"empty", "", block, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hosts")
			if err := os.WriteFile(path, []byte(test.before), 0o644); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				expect(t, path, AddHosts, test.added)
			}
			for range 2 {
				expect(t, path, RemoveHosts, test.removed)
			}
		})
	}
}

func expect(t *testing.T, path string, change func(string) error, want string) {
	t.Helper()
	if err := change(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
