//go:build lab

package pipeline

import (
	"archive/tar"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// imageUser is the unprivileged user that the image names.
const imageUser = "65532"

// TestJobRunsInTheImage runs the component's script as a GitLab runner would: sent to the
// shell of the image, as the image's user, with nothing around it but the image.
func TestJobRunsInTheImage(t *testing.T) {
	p := consumer(t, "focus: '1.1.2'")
	job, _ := p.expanded(t)["conformance"].(map[string]any)
	rootfs := unpackedImage(t)
	builds := filepath.Join(rootfs, "builds")
	for folder, mode := range map[string]os.FileMode{builds: 0o777, filepath.Join(rootfs, "proc"): 0o755, filepath.Join(rootfs, "dev"): 0o755} {
		if err := errors.Join(os.Mkdir(folder, mode), os.Chmod(folder, mode)); err != nil {
			t.Fatal(err)
		}
	}
	null := filepath.Join(rootfs, "dev", "null")
	if err := errors.Join(syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3), os.Chmod(null, 0o666)); err != nil {
		t.Fatal(err)
	}
	// What a container runtime, and GitLab's clone of the project, put there; the answers name
	// the lab's files by their absolute paths.
	copies := map[string]string{"/etc/hosts": "etc/hosts", "/etc/resolv.conf": "etc/resolv.conf"}
	copies[filepath.Join(p.folder, "answers.yaml")] = "builds/answers.yaml"
	for _, file := range []string{lab.State("pki", "ca.crt"), lab.State("secrets", "registry-password")} {
		copies[file] = strings.TrimPrefix(file, "/")
	}
	for from, to := range copies {
		copyFile(t, from, filepath.Join(rootfs, to))
	}
	kubeconfig, err := os.ReadFile(lab.State("kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eo pipefail\nset +o noclobber\ncd /builds\n" + lines(job["script"]) + lines(job["after_script"])
	command := exec.CommandContext(t.Context(), "unshare", "--mount", "--root="+rootfs, "--mount-proc",
		"--setuid="+imageUser, "--setgid="+imageUser, "/bin/sh")
	command.Stdin = strings.NewReader(script)
	command.Env = []string{"PATH=/:/bin:/usr/bin:/sbin:/usr/sbin", "HOME=/tmp", "GITLAB_CI=true",
		"KUBE_CONFIG=" + base64.StdEncoding.EncodeToString(kubeconfig)}
	for name, value := range job["variables"].(map[string]any) {
		command.Env = append(command.Env, name+"="+value.(string))
	}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, output)
	}
	if _, err := os.Stat(filepath.Join(builds, "conformance-report", "junit.xml")); err != nil {
		t.Errorf("the report: %v\n%s", err, output)
	}
}

func lines(script any) string {
	var text strings.Builder
	for _, line := range script.([]any) {
		text.WriteString(line.(string) + "\n")
	}
	return text.String()
}

// unpackedImage makes the image and returns a folder with its root filesystem.
func unpackedImage(t *testing.T) string {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image")
	command := exec.CommandContext(t.Context(), "go", "run", "-trimpath", "./cmd/image", "--output", archive)
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("make the image: %v\n%s", err, output)
	}
	index, err := layout.ImageIndexFromPath(archive)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	files := mutate.Extract(image)
	defer files.Close()
	rootfs := t.TempDir()
	// Go makes it for its owner only, and the image's user is another one.
	if err := os.Chmod(rootfs, 0o755); err != nil {
		t.Fatal(err)
	}
	unpack(t, tar.NewReader(files), rootfs)
	return rootfs
}

func unpack(t *testing.T, archive *tar.Reader, folder string) {
	t.Helper()
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(folder, filepath.Clean("/"+header.Name))
		if header.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(target, 0o755); err != nil {
				t.Fatal(err)
			}
		} else {
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, target, content)
		}
		// With the sticky bit, which os.MkdirAll leaves out as it does what the umask hides.
		if err := os.Chmod(target, header.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, content)
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
