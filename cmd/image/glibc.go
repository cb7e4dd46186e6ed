package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
)

// platform says where Debian has the C library on one architecture.
type platform struct {
	triplet string
	// interpreter is the path that programs name, without the leading slash.
	interpreter string
}

var platforms = map[string]platform{
	"amd64": {"x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"},
	"arm64": {"aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"},
}

// libraries are the files of Debian packages that /probe-gpu and NVIDIA's driver need when they
// run, beside the interpreter. libcuda.so.1, libnvidia-ml.so.1 and libnvidia-ptxjitcompiler.so.1
// name those of libc6 (ELF, DT_NEEDED). None names libgcc_s, but the JIT compiler calls
// pthread_exit, for which glibc loads it and ends the process where it is missing.
var libraries = map[string][]string{
	"libc6":     {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"},
	"libgcc-s1": {"libgcc_s.so.1"},
}

// driverFolders are where the driver's libraries are put into containers outside of glibc's own
// folders: by GKE and older NVIDIA runtimes, and by CDI on Red Hat's systems, which keeps the
// node's paths.
var driverFolders = []string{"/usr/local/nvidia/lib64", "/usr/lib64", "/lib64"}

// glibc returns the layer with the C library, taken from the Debian system or the unpacked
// packages at root.
func glibc(root, architecture string) ([]file, error) {
	p, known := platforms[architecture]
	if !known {
		return nil, fmt.Errorf("NVIDIA's driver needs glibc, and where Debian has it for %q is not known here: build for amd64 or arm64", architecture)
	}
	folder, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	files, err := p.collect(debian{folder, architecture, p.triplet})
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the C library for NVIDIA's driver comes from Debian's packages, and %s has no %w\n"+
			"Build on Debian, or unpack its packages libc6, libgcc-s1 and gcc-*-base for %s into an empty folder "+
			"(dpkg-deb --extract FILE.deb FOLDER) and name that: --glibc FOLDER", root, err, architecture)
	}
	return files, err
}

// collect reads what the layer holds.
func (p platform) collect(from debian) ([]file, error) {
	files := linkerSettings(from.version("libc6"))
	linker, err := from.library("libc6", path.Base(p.interpreter))
	if err != nil {
		return nil, err
	}
	files = append(files, file{name: p.interpreter, mode: 0o755, content: linker})
	for _, name := range []string{"libc6", "libgcc-s1"} {
		of, err := p.collectPackage(from, name)
		if err != nil {
			return nil, err
		}
		files = append(files, of...)
	}
	return withFolders(files), nil
}

// collectPackage reads a package's libraries, its licence, and what scanners ask about it.
func (p platform) collectPackage(from debian, name string) ([]file, error) {
	var files []file
	for _, library := range libraries[name] {
		content, err := from.library(name, library)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "usr/lib/" + p.triplet + "/" + library, mode: 0o644, content: content})
	}
	licence := "usr/share/doc/" + name + "/copyright"
	content, err := from.read(licence)
	if err != nil {
		return nil, err
	}
	files = append(files, file{name: licence, mode: 0o644, content: content})
	if paragraph := from.paragraph(name); paragraph != "" {
		files = append(files, file{name: "var/lib/dpkg/status.d/" + name, mode: 0o644, content: []byte(paragraph)})
	}
	return files, nil
}

// linkerSettings make the linker of the container find the driver, and NVIDIA's runtimes take
// the image for what it is.
func linkerSettings(libc string) []file {
	return []file{
		// libnvidia-container puts the driver into Debian's folder only where it finds this
		// file. What is in it tells scanners whose advisories hold for the library.
		{name: "etc/debian_version", mode: 0o644, content: []byte(release(libc) + "\n")},
		// Hooks of NVIDIA's runtimes fill the cache where there is one. The linker ignores it
		// while it is empty.
		{name: "etc/ld.so.cache", mode: 0o644},
		// The same hooks write to ld.so.conf.d.
		{name: "etc/ld.so.conf", mode: 0o644, content: []byte("include /etc/ld.so.conf.d/*.conf\n")},
		{name: "etc/ld.so.conf.d/nvidia.conf", mode: 0o644, content: []byte(strings.Join(driverFolders, "\n") + "\n")},
	}
}

var stableUpdate = regexp.MustCompile(`\+deb([0-9]+)`)

// release is the Debian release that a package's version tells of; "sid" where it tells of none.
func release(version string) string {
	if found := stableUpdate.FindStringSubmatch(version); found != nil {
		return found[1]
	}
	return "sid"
}

// withFolders puts every folder before the first file in it.
func withFolders(files []file) []file {
	var all []file
	made := map[string]bool{}
	for _, f := range files {
		for i, letter := range f.name {
			if folder := f.name[:i+1]; letter == '/' && !made[folder] {
				made[folder] = true
				all = append(all, file{name: folder, mode: 0o755})
			}
		}
		all = append(all, f)
	}
	return all
}
