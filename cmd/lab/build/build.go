// Package build compiles the programs of the lab from their Go modules into .lab/bin and
// says what it compiles and for how long. What is built already is not built again: a stamp
// beside each program holds the hash of what it was made from.
package build

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"aiv.internal/conformance/cmd/lab/console"
	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/state"
)

// KubernetesVersion is the version of k8s.io/kubernetes in go.mod; nothing else tells the
// programs which version they are.
const KubernetesVersion = "v1.36.1"

// Components are the names under which the Kubernetes binary is called.
var Components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}

// target is one run of `go build`.
type target struct {
	// what is said while it is built.
	what string
	// module and packages: where and what to build, relative to cmd/lab.
	module   string
	packages []string
	programs []string
	flags    string
	links    []string
	// definitions are the folders of modules whose YAML files are needed beside the programs.
	definitions []definitions
	// full is true for what only a full lab needs.
	full bool
}

// metallb is MetalLB's module.
const metallb = "go.universe.tf/metallb"

func targets() []target {
	major, rest, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	const version = "k8s.io/component-base/version."
	return []target{
		{
			what:   "Kubernetes " + KubernetesVersion + " and etcd (the first time about 8 minutes on two cores)",
			module: ".", packages: []string{"./kube"}, programs: []string{"kube"}, links: Components,
			flags: fmt.Sprintf("-s -w -X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=%[3]s -X %[1]sgitMinor=%[4]s",
				version, KubernetesVersion, major, minor),
		},
		{
			what:   "CSI sidecars",
			module: ".", packages: []string{
				"github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner",
				"github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer",
				"github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter",
				"github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller",
			},
			programs: []string{"csi-provisioner", "csi-resizer", "csi-snapshotter", "snapshot-controller"},
			flags:    "-s -w",
		},
		{what: "CoreDNS", module: "coredns", packages: []string{"."}, programs: []string{"coredns"}, flags: "-s -w"},
		{
			what:   "MetalLB's controller",
			module: "metallb", packages: []string{metallb + "/controller"}, programs: []string{"metallb-controller"}, flags: "-s -w",
			definitions: []definitions{{module: metallb, files: "config/crd/bases/*.yaml", to: "metallb-crd"}},
		},
		{what: "MetalLB's speaker", module: "metallb", packages: []string{metallb + "/speaker"}, programs: []string{"metallb-speaker"}, flags: "-s -w"},
		{
			what:   "Traefik (the first time about 8 minutes on two cores, with 3 GB of memory)",
			module: "traefik", packages: []string{"github.com/traefik/traefik/v3/cmd/traefik"}, programs: []string{"traefik"}, flags: "-s -w",
			definitions: []definitions{
				{module: "sigs.k8s.io/gateway-api", files: "config/crd/standard/*.yaml", to: "gateway-crd"},
				{module: "github.com/traefik/traefik/v3", files: "docs/content/reference/dynamic-configuration/traefik.io_*.yaml", to: "traefik-crd"},
			},
			full: true,
		},
		{what: "the sandbox program", module: ".", packages: []string{"./pause"}, programs: []string{"pause"}, flags: "-s -w"},
		{what: "the GPU nodes' container runtime", module: ".", packages: []string{"./gpu/" + device.Runtime}, programs: []string{device.Runtime}, flags: "-s -w"},
	}
}

// Programs builds everything that is missing or out of date, for a full lab or a core one.
func Programs(ctx context.Context, dir state.Dir, full bool, say *console.Console) error {
	source := filepath.Join(dir.Root(), "cmd", "lab")
	for _, t := range targets() {
		if t.full && !full {
			continue
		}
		stamp, err := t.stamp(source)
		if err != nil {
			return fmt.Errorf("what %s is made from: %w", t.what, err)
		}
		if t.built(dir, stamp) {
			continue
		}
		if err := t.build(ctx, dir, source, say); err != nil {
			return fmt.Errorf("build %s: %w", t.what, err)
		}
		if err := os.WriteFile(t.stampFile(dir), []byte(stamp), 0o644); err != nil {
			return err
		}
	}
	if err := driver(ctx, dir, source, say); err != nil {
		return fmt.Errorf("build the simulated GPU driver: %w", err)
	}
	return own(dir)
}

func (t target) stampFile(dir state.Dir) string { return dir.Bin("." + t.programs[0] + ".stamp") }

func (t target) built(dir state.Dir, stamp string) bool {
	content, err := os.ReadFile(t.stampFile(dir))
	if err != nil || string(content) != stamp {
		return false
	}
	for _, program := range slices.Concat(t.programs, t.links) {
		if _, err := os.Stat(dir.Bin(program)); err != nil {
			return false
		}
	}
	for _, d := range t.definitions {
		if _, err := os.Stat(dir.Bin(d.to)); err != nil {
			return false
		}
	}
	return true
}

// stamp is the hash of the module's requirements, of the sources that are in this
// repository, of the flags and of the compiler.
func (t target) stamp(source string) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), t.flags, t.packages)
	module := filepath.Join(source, t.module)
	files := []string{filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")}
	for _, name := range t.packages {
		if !strings.HasPrefix(name, ".") {
			continue
		}
		own, err := sources(module, filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		files = append(files, own...)
	}
	if err := addFiles(hash, files); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

func (t target) build(ctx context.Context, dir state.Dir, source string, say *console.Console) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("the Go toolchain is not on PATH: install Go 1.26 or newer, it compiles the lab")
	}
	say.Say("building %s", t.what)
	return say.Step("built "+strings.Join(t.programs, ", "), func() error {
		// git says nothing about a checkout of another user than root, and go would fail for it.
		arguments := append([]string{"build", "-v", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", t.flags, "-o", t.output(dir)}, t.packages...)
		command := exec.CommandContext(ctx, "go", arguments...)
		command.Dir = filepath.Join(source, t.module)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := compile(command, t.what, say); err != nil {
			return err
		}
		for _, d := range t.definitions {
			if err := d.copy(ctx, dir, command.Dir); err != nil {
				return err
			}
		}
		return link(dir, t.programs[0], t.links)
	})
}

// output is where the build goes: a single program may be called otherwise than its package.
func (t target) output(dir state.Dir) string {
	if len(t.programs) == 1 {
		return dir.Bin(t.programs[0])
	}
	return dir.Path("bin") + "/"
}

// compile runs `go build -v`, which names each package as it is compiled, and says every
// quarter of a minute how far it is.
func compile(command *exec.Cmd, what string, say *console.Console) error {
	messages, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	var compiled atomic.Int64
	ticker := time.NewTicker(15 * time.Second)
	defer ticker.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-ticker.C:
				say.Say("  %d packages compiled", compiled.Load())
			case <-done:
				return
			}
		}
	}()
	complaints := readMessages(messages, &compiled)
	if err := command.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(complaints, "\n"))
	}
	return nil
}

// readMessages counts the lines that are package paths and keeps the others: headings,
// downloads and errors.
func readMessages(messages io.Reader, compiled *atomic.Int64) []string {
	var complaints []string
	lines := bufio.NewScanner(messages)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading "):
		case strings.ContainsAny(line, " \t:#"):
			complaints = append(complaints, line)
		default:
			compiled.Add(1)
		}
	}
	return complaints[max(0, len(complaints)-40):]
}

func link(dir state.Dir, program string, names []string) error {
	for _, name := range names {
		if err := os.Remove(dir.Bin(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(program, dir.Bin(name)); err != nil {
			return err
		}
	}
	return nil
}

// own copies this program to .lab/bin, because its servers go on running from there when it
// was built somewhere else, as `go run` does.
func own(dir state.Dir) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	target := dir.Bin("lab")
	here, err := os.Stat(self)
	if err != nil {
		return err
	}
	if there, err := os.Stat(target); err == nil && os.SameFile(here, there) {
		return nil
	}
	content, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	// A new file under a new inode: the old one may be running.
	if err := os.WriteFile(target+".new", content, 0o755); err != nil {
		return err
	}
	return os.Rename(target+".new", target)
}
