package require

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMissing(t *testing.T) {
	absent := map[string]bool{"containerd": true, "ctr": true, "mkfs.xfs": true}
	err := missing(func(name string) (string, error) {
		if absent[name] {
			return "", os.ErrNotExist
		}
		return "/bin/" + name, nil
	})
	var lacks *MissingError
	if !errors.As(err, &lacks) {
		t.Fatalf("got %v", err)
	}
	for _, words := range []string{"containerd, ctr, mkfs.xfs", "install --yes --no-install-recommends containerd xfsprogs", "lab up --install"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not in: %v", words, err)
		}
	}
	if err := missing(func(string) (string, error) { return "/bin/true", nil }); err != nil {
		t.Errorf("nothing is missing, but: %v", err)
	}
}

func TestKernel(t *testing.T) {
	root := t.TempDir()
	if err := kernel(root); err == nil || !strings.Contains(err.Error(), "loop") {
		t.Errorf("got %v", err)
	}
	for _, path := range []string{"dev/loop-control", "dev/fuse", "proc/sys/net/ipv4/ip_forward", "sys/fs/cgroup"} {
		if err := os.MkdirAll(filepath.Join(root, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := kernel(root); err != nil {
		t.Error(err)
	}
}

func TestFindHeader(t *testing.T) {
	header := filepath.Join(t.TempDir(), "a.h")
	if _, err := find(header); err == nil {
		t.Error("found one that is not there")
	}
	if err := os.WriteFile(header, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := find(header); err != nil {
		t.Error(err)
	}
}
