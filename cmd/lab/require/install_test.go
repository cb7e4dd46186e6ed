package require

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// programs makes a PATH of shell scripts only: each notes how it was called, and does what
// its script says. It returns what was called so far.
func programs(t *testing.T, scripts map[string]string) (called func() []string) {
	t.Helper()
	folder := t.TempDir()
	notes := filepath.Join(folder, "notes")
	for name, script := range scripts {
		content := "#!/bin/sh\necho " + name + ` "$@" >>"` + notes + "\"\n" + script + "\n"
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder)
	return func() []string {
		content, err := os.ReadFile(notes)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(content)), "\n")
	}
}

func TestInstall(t *testing.T) {
	const update, disable = "apt-get -o DPkg::Lock::Timeout=300 update --quiet", "systemctl disable --now containerd.service"
	installs := func(packages string) string {
		return "apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends " + packages
	}
	withContainerd := &MissingError{Packages: []string{"containerd", "bindfs"}, Tools: []string{"containerd", "ctr", "bindfs"}}
	for _, c := range []struct {
		name    string
		missing *MissingError
		systemd bool
		apt     string
		lacks   string
		want    []string
		failed  bool
	}{
		{"containerd's service is ended", withContainerd, true, "", "", []string{update, installs("containerd bindfs"), disable}, false},
		{
			"named's service is ended", &MissingError{Packages: []string{"bind9"}, Tools: []string{"named"}}, true, "", "",
			[]string{update, installs("bind9"), "systemctl disable --now named.service"}, false,
		},
		{"no systemd, no service", withContainerd, false, "", "", []string{update, installs("containerd bindfs")}, false},
		{
			"a service that was there before stays", &MissingError{Packages: []string{"bindfs"}, Tools: []string{"bindfs"}},
			true, "", "", []string{update, installs("bindfs")}, false,
		},
		{
			"nginx's script is ended", &MissingError{Packages: []string{"nginx"}, Tools: []string{"nginx"}},
			false, "", "", []string{update, installs("nginx"), "service nginx stop"}, false,
		},
		{
			"nginx's service is ended", &MissingError{Packages: []string{"nginx"}, Tools: []string{"nginx"}},
			true, "", "", []string{update, installs("nginx"), "systemctl disable --now nginx.service"}, false,
		},
		{"failed behind containerd", withContainerd, true, `test "$3" = update`, "", []string{update, installs("containerd bindfs"), disable}, true},
		{"failed before containerd", withContainerd, true, "exit 1", "containerd", []string{update}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			scripts := map[string]string{"apt-get": c.apt, "systemctl": "", "service": "", "containerd": "", "nginx": "", "named": ""}
			delete(scripts, c.lacks)
			called := programs(t, scripts)
			err := install(t.Context(), c.missing, io.Discard, c.systemd)
			if (err != nil) != c.failed || !slices.Equal(called(), c.want) {
				t.Errorf("called %q, want %q, error %v", called(), c.want, err)
			}
		})
	}
}
