package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// debian is the root folder of a Debian system, or of a few unpacked packages. No link leads
// out of it.
type debian struct {
	root         *os.Root
	architecture string
	triplet      string
}

// library reads a shared library of a package, and compares it with what dpkg knows of it.
func (d debian) library(name, file string) ([]byte, error) {
	// Debian 12 has some in /lib, which its systems link to /usr/lib, but unpacked packages do not.
	content, err := d.read("lib/" + d.triplet + "/" + file)
	if errors.Is(err, os.ErrNotExist) {
		content, err = d.read("usr/lib/" + d.triplet + "/" + file)
	}
	if err != nil {
		return nil, err
	}
	return content, d.verify(name, file, content)
}

// verify returns an error where dpkg knows another MD5 sum of the file. Packages that were only
// unpacked have none.
func (d debian) verify(name, file string, content []byte) error {
	list := "var/lib/dpkg/info/" + name + ":" + d.architecture + ".md5sums"
	sums, err := d.read(list)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(sums)) {
		sum, path, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if !strings.HasSuffix(path, "/"+d.triplet+"/"+file) {
			continue
		}
		if found := md5.Sum(content); hex.EncodeToString(found[:]) != sum {
			return fmt.Errorf("%s is not what the package %s installed: its MD5 sum is %x, and dpkg has %s; reinstall the package", path, name, found, sum)
		}
		return nil
	}
	return fmt.Errorf("dpkg does not know %s as a file of the package %s", file, name)
}

// paragraph says of a package what scanners look for, as dpkg's status file does; empty where
// neither dpkg nor the package's changelog tells its version.
func (d debian) paragraph(name string) string {
	source, version := d.installed(name)
	if version == "" {
		source, version = d.logged(name)
	}
	if version == "" {
		return ""
	}
	return fmt.Sprintf("Package: %s\nStatus: install ok installed\nArchitecture: %s\nSource: %s\nVersion: %s\n", name, d.architecture, source, version)
}

// installed is what dpkg knows of a package.
func (d debian) installed(name string) (source, version string) {
	status, err := d.read("var/lib/dpkg/status")
	if err != nil {
		return "", ""
	}
	for stanza := range bytes.SplitSeq(status, []byte("\n\n")) {
		fields := map[string]string{}
		for line := range strings.Lines(string(stanza)) {
			if key, value, found := strings.Cut(line, ": "); found && !strings.HasPrefix(line, " ") {
				fields[key] = strings.TrimSpace(value)
			}
		}
		if fields["Package"] == name && fields["Architecture"] == d.architecture {
			// A source of another version than the package is followed by that in parentheses.
			source, _, _ := strings.Cut(fields["Source"], " ")
			return cmp.Or(source, name), fields["Version"]
		}
	}
	return "", ""
}

// changelogHead begins a Debian changelog: "glibc (2.36-9+deb12u14) bookworm; urgency=medium".
var changelogHead = regexp.MustCompile(`^(\S+) \(([^)]+)\)`)

// logged is what the changelog of an unpacked package begins with.
func (d debian) logged(name string) (source, version string) {
	packed, err := d.root.Open("usr/share/doc/" + name + "/changelog.Debian.gz")
	if err != nil {
		return "", ""
	}
	defer packed.Close()
	changelog, err := gzip.NewReader(packed)
	if err != nil {
		return "", ""
	}
	line, _ := bufio.NewReader(changelog).ReadString('\n')
	if found := changelogHead.FindStringSubmatch(line); found != nil {
		return found[1], found[2]
	}
	return "", ""
}

// version is a package's version; empty where it is not known.
func (d debian) version(name string) string {
	_, version, _ := strings.Cut(d.paragraph(name), "\nVersion: ")
	return strings.TrimSpace(version)
}

func (d debian) read(path string) ([]byte, error) {
	content, err := d.root.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, os.ErrNotExist)
	}
	return content, err
}
