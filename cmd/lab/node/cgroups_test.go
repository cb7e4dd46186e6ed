package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A machine with v1 may have v2 without controllers beside it.
func TestNoControllersToEnable(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "cgroup.controllers"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := enableControllers(root); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "cgroup.subtree_control")); err == nil {
		t.Error("written without need")
	}
}

func TestEnableControllers(t *testing.T) {
	for _, c := range []struct{ name, offered, want string }{
		{"what is both offered and demanded", "cpuset cpu io memory hugetlb pids rdma misc\n", "+cpuset +cpu +io +memory +hugetlb +pids"},
		{"no huge pages", "cpuset cpu io memory pids\n", "+cpuset +cpu +io +memory +pids"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if unified(root) {
				t.Error("a folder without controllers is taken for cgroup v2")
			}
			if err := os.WriteFile(filepath.Join(root, "cgroup.controllers"), []byte(c.offered), 0o644); err != nil {
				t.Fatal(err)
			}
			if !unified(root) {
				t.Error("not taken for cgroup v2")
			}
			if err := enableControllers(root); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
			if err != nil || string(got) != c.want {
				t.Errorf("written is %q, want %q, error %v", got, c.want, err)
			}
		})
	}
}

// TestControllersRefused takes a full device for a kernel that refuses to enable them.
func TestControllersRefused(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "cgroup.controllers"), []byte("cpu memory\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(root, "cgroup.subtree_control")); err != nil {
		t.Fatal(err)
	}
	if err := enableControllers(root); err == nil || !strings.Contains(err.Error(), "cgroup v2: enable the controllers +cpu +memory") {
		t.Errorf("got %v", err)
	}
}
