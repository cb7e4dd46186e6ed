// Package require says what the lab needs of the machine and what of it is missing, before
// anything is changed.
package require

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// CNIPlugins is where Debian's containernetworking-plugins installs.
const CNIPlugins = "/usr/lib/cni"

// tool is a program, or a file of C, that the lab needs and the Debian package that has it.
type tool struct {
	path, debianPackage string
	// usedBy is who runs it where the lab's own code does not.
	usedBy string
}

var tools = []tool{
	{"containerd", "containerd", ""},
	{"ctr", "containerd", ""},
	{"runc", "runc", ""},
	{filepath.Join(CNIPlugins, "ptp"), "containernetworking-plugins", "containerd"},
	{filepath.Join(CNIPlugins, "host-local"), "containernetworking-plugins", "ptp"},
	{filepath.Join(CNIPlugins, "loopback"), "containernetworking-plugins", "containerd"},
	{filepath.Join(CNIPlugins, "portmap"), "containernetworking-plugins", "containerd"},
	{"nft", "nftables", "kube-proxy, and nsenter for the firewalls and NetworkPolicies"},
	{"iptables", "iptables", "portmap"},
	{"ip", "iproute2", ""},
	{"nsenter", "util-linux", ""},
	{"unshare", "util-linux", ""},
	{"mount", "mount", "the script that makes the nodes' mount namespace"},
	{"umount", "mount", ""},
	{"mkfs.xfs", "xfsprogs", ""},
	{"xfs_growfs", "xfsprogs", ""},
	{"bindfs", "bindfs", ""},
	{"named", "bind9", ""},
	{"nginx", "nginx", ""},
	{"gcc", "gcc", "the script that builds the simulated GPU driver"},
	{"/usr/include/stdlib.h", "libc6-dev", "gcc"},
}

// MissingError lists the Debian packages that are not installed.
type MissingError struct{ Packages, Tools []string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("missing on this machine: %s\ninstall with:\n  %s\nor run: lab up --install",
		strings.Join(e.Tools, ", "), strings.Join(e.command(), " "))
}

func (e *MissingError) command() []string {
	return append(apt("install", "--yes", "--no-install-recommends"), e.Packages...)
}

// Machine returns nil if the lab can run here. Missing packages alone are a *MissingError.
func Machine() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the lab needs Linux (network namespaces, cgroups, loop devices), this is %s: "+
			"run it in a Linux machine with root", runtime.GOOS)
	}
	if err := Root(); err != nil {
		return err
	}
	return errors.Join(missing(find), kernel("/"))
}

// find is exec.LookPath for programs; a header need not be executable.
func find(path string) (string, error) {
	if strings.HasSuffix(path, ".h") {
		_, err := os.Stat(path)
		return path, err
	}
	return exec.LookPath(path)
}

// Root returns nil if this process may change the machine.
func Root() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("the lab needs root to make network namespaces and mounts, this is user %d: run it with sudo", os.Geteuid())
}

// missing looks for every tool by lookPath.
func missing(lookPath func(string) (string, error)) error {
	var lacks MissingError
	for _, needed := range tools {
		if _, err := lookPath(needed.path); err == nil {
			continue
		}
		lacks.Tools = append(lacks.Tools, needed.path)
		if !slices.Contains(lacks.Packages, needed.debianPackage) {
			lacks.Packages = append(lacks.Packages, needed.debianPackage)
		}
	}
	if len(lacks.Tools) == 0 {
		return nil
	}
	return &lacks
}

// kernel checks what no package brings. root is / except in tests.
func kernel(root string) error {
	for _, needed := range []struct{ path, what string }{
		{"dev/loop-control", "loop devices: the volumes of the lab are image files"},
		{"dev/fuse", "FUSE: bindfs shows a volume whose locks are not honoured"},
		{"proc/sys/net/ipv4/ip_forward", "IPv4 networking"},
		{"sys/fs/cgroup", "control groups"},
	} {
		if _, err := os.Stat(filepath.Join(root, needed.path)); err != nil {
			return fmt.Errorf("the kernel offers no %s (%s is not there): use another machine or a privileged container",
				needed.what, filepath.Join("/", needed.path))
		}
	}
	return nil
}
