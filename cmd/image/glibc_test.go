package main

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// put writes a file below a folder.
func put(t *testing.T, root, name, content string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// unpacked is a folder with Debian's packages as dpkg-deb --extract leaves them; each library
// holds its name.
func unpacked(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, files := range libraries {
		for _, file := range files {
			put(t, root, "lib/x86_64-linux-gnu/"+file, file)
		}
		put(t, root, "usr/share/doc/"+name+"/copyright", "licence of "+name)
	}
	put(t, root, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2")
	return root
}

// debianSystem is the same with what dpkg writes down of packages that it installs.
func debianSystem(t *testing.T) string {
	t.Helper()
	root := unpacked(t)
	status := "Package: zlib1g\nArchitecture: amd64\nVersion: 1\n\n"
	for _, name := range []string{"libc6", "libgcc-s1"} {
		var sums strings.Builder
		for _, file := range append(slices.Clone(libraries[name]), "ld-linux-x86-64.so.2") {
			fmt.Fprintf(&sums, "%x  lib/x86_64-linux-gnu/%s\n", md5.Sum([]byte(file)), file)
		}
		put(t, root, "var/lib/dpkg/info/"+name+":amd64.md5sums", sums.String())
		status += "Package: " + name + "\nStatus: install ok installed\nArchitecture: i386\nVersion: 0\n\n" +
			"Package: " + name + "\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2)\nVersion: 2.36-9+deb12u14\nDescription: it\n Version: none\n\n"
	}
	put(t, root, "var/lib/dpkg/status", status)
	return root
}

func putChangelog(t *testing.T, root, name, text string) {
	t.Helper()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, root, "usr/share/doc/"+name+"/changelog.Debian.gz", packed.String())
}

func contentsOf(files []file) map[string]string {
	contents := map[string]string{}
	for _, f := range files {
		contents[f.name] = string(f.content)
	}
	return contents
}

func TestLibraryComesWithLicenceAndVersion(t *testing.T) {
	logged, unknown := unpacked(t), unpacked(t)
	putChangelog(t, logged, "libc6", "glibc (2.36-9+deb12u14) bookworm; urgency=medium\n\n  * It.\n")
	for root, release := range map[string]string{debianSystem(t): "12", logged: "12", unknown: "sid"} {
		files, err := glibc(root, "amd64")
		if err != nil {
			t.Fatal(err)
		}
		contents := contentsOf(files)
		expected := map[string]string{
			"lib64/ld-linux-x86-64.so.2":               "ld-linux-x86-64.so.2",
			"usr/lib/x86_64-linux-gnu/libm.so.6":       "libm.so.6",
			"usr/lib/x86_64-linux-gnu/libgcc_s.so.1":   "libgcc_s.so.1",
			"usr/share/doc/libc6/copyright":            "licence of libc6",
			"usr/share/doc/libgcc-s1/copyright":        "licence of libgcc-s1",
			"etc/debian_version":                       release + "\n",
			"etc/ld.so.cache":                          "",
			"etc/ld.so.conf":                           "include /etc/ld.so.conf.d/*.conf\n",
			"etc/ld.so.conf.d/nvidia.conf":             "/usr/local/nvidia/lib64\n/usr/lib64\n/lib64\n",
			"usr/lib/x86_64-linux-gnu/":                "",
			"usr/lib/x86_64-linux-gnu/libpthread.so.0": "libpthread.so.0",
		}
		if release == "12" {
			expected["var/lib/dpkg/status.d/libc6"] = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9+deb12u14\n"
		}
		for name, content := range expected {
			if found, there := contents[name]; !there || found != content {
				t.Errorf("%s: %q, expected %q", name, found, content)
			}
		}
		made := map[string]bool{"./": true}
		for _, f := range files {
			if !made[path.Dir(strings.TrimSuffix(f.name, "/"))+"/"] {
				t.Errorf("%s comes before its folder", f.name)
			}
			made[f.name] = true
		}
	}
}

func TestWhatIsNoDebianIsRefused(t *testing.T) {
	spoilt := debianSystem(t)
	put(t, spoilt, "lib/x86_64-linux-gnu/libm.so.6", "another libm")
	unlicensed := unpacked(t)
	if err := os.Remove(filepath.Join(unlicensed, "usr/share/doc/libgcc-s1/copyright")); err != nil {
		t.Fatal(err)
	}
	outside := unpacked(t)
	link := filepath.Join(outside, "lib/x86_64-linux-gnu/libm.so.6")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		root, architecture string
		words              []string
	}{
		"a machine without glibc":    {t.TempDir(), "amd64", []string{"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "--glibc FOLDER", "for amd64"}},
		"another architecture":       {debianSystem(t), "arm64", []string{"ld-linux-aarch64.so.1", "for arm64"}},
		"an unknown architecture":    {debianSystem(t), "riscv64", []string{"riscv64", "amd64 or arm64"}},
		"a changed library":          {spoilt, "amd64", []string{"libm.so.6", "reinstall"}},
		"a package without licence":  {unlicensed, "amd64", []string{"libgcc-s1/copyright", "gcc-*-base"}},
		"a link out of the folder":   {outside, "amd64", []string{"escapes"}},
		"a folder that is not there": {"/nowhere", "amd64", []string{"/nowhere"}},
	} {
		_, err := glibc(c.root, c.architecture)
		for _, word := range c.words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, which does not say %q", name, err, word)
			}
		}
	}
}

// needDebian skips the test on a machine that the image cannot be made on.
func needDebian(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/usr/lib/" + platforms[runtime.GOARCH].triplet + "/libc.so.6"); err != nil {
		t.Skip("this machine is not Debian: ", err)
	}
}

// realLayer is the layer with this machine's library, by path.
func realLayer(t *testing.T) map[string]string {
	t.Helper()
	needDebian(t)
	files, err := glibc("/", runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	return contentsOf(files)
}

// needs reports what a program or library needs that the image does not hold.
func needs(t *testing.T, name, content string, layer map[string]string) {
	t.Helper()
	parsed, err := elf.NewFile(bytes.NewReader([]byte(content)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p := platforms[runtime.GOARCH]
	if section := parsed.Section(".interp"); section != nil && !strings.Contains(name, ".so") {
		interpreter, err := section.Data()
		if named := strings.Trim(string(interpreter), "\x00"); err != nil || named != "/"+p.interpreter {
			t.Errorf("%s is run by %s (%v), and the image has /%s", name, named, err, p.interpreter)
		}
	}
	imported, err := parsed.ImportedLibraries()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, library := range imported {
		if _, there := layer["usr/lib/"+p.triplet+"/"+library]; !there && library != path.Base(p.interpreter) {
			t.Errorf("%s needs %s, which the image does not hold", name, library)
		}
	}
}

func TestLibrariesFindWhatTheyNeed(t *testing.T) {
	layer := realLayer(t)
	checked := 0
	for name, content := range layer {
		if strings.Contains(path.Base(name), ".so.") && strings.HasPrefix(content, elf.ELFMAG) {
			needs(t, name, content, layer)
			checked++
		}
	}
	if checked != 7 {
		t.Errorf("the layer holds %d libraries, expected 7", checked)
	}
}

// The Dockerfile's stage is a shell script: on Debian it can be run as it stands there.
func TestDockerfileMakesTheSameLayer(t *testing.T) {
	layer := realLayer(t)
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, stage, _ := strings.Cut(string(text), "AS glibc\nWORKDIR /root-of-image\nRUN ")
	script, _, _ := strings.Cut(stage, "\n\n")
	root := t.TempDir()
	command := exec.CommandContext(t.Context(), "sh", "-c", script)
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for name, content := range layer {
		if strings.HasSuffix(name, "/") {
			continue
		}
		copied, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(copied) != content {
			t.Errorf("%s: %v, %d bytes, expected %d", name, err, len(copied), len(content))
		}
	}
	for _, variable := range environmentOf() {
		if !strings.Contains(string(text), variable) {
			t.Errorf("the Dockerfile does not set %s", variable)
		}
	}
}
