// Package state knows where the lab keeps what it writes: one folder, .lab at the
// repository's root. It names paths and makes folders, and holds no state in memory, so that
// every command sees what the one before it left.
package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folder is the name of the state folder at the repository's root.
const Folder = ".lab"

// EnvironmentVariable names the state folder for commands that run outside the repository.
const EnvironmentVariable = "AIV_LAB_DIR"

// ProcessVariable is in the environment of every process that the lab starts, with the state
// folder as its value: it is how the lab finds its processes when their records are lost.
const ProcessVariable = "AIV_LAB_PROCESS_OF"

// Module is the module whose go.mod marks the repository's root.
const Module = "aiv.internal/conformance"

// Dir is the lab's state folder, an absolute path.
type Dir string

// Find returns the state folder: the one that the environment names, otherwise .lab at the
// root of the repository that the working directory lies in. The folder may not exist yet.
func Find() (Dir, error) {
	if named := os.Getenv(EnvironmentVariable); named != "" {
		absolute, err := filepath.Abs(named)
		return Dir(absolute), err
	}
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		if isRoot(folder) {
			return Dir(filepath.Join(folder, Folder)), nil
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("no repository of module %s at or above %s: "+
				"change into it, or name the state folder in %s", Module, start, EnvironmentVariable)
		}
	}
}

func isRoot(folder string) bool {
	content, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(string(content), "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "module")) == Module
}

// Root is the repository's root.
func (d Dir) Root() string { return filepath.Dir(string(d)) }

// Path joins parts below the state folder.
func (d Dir) Path(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}

// Bin is a built program.
func (d Dir) Bin(name string) string { return d.Path("bin", name) }

// Run is a file of the running lab: process IDs, sockets. Gone after `lab down`.
func (d Dir) Run(parts ...string) string { return d.Path(append([]string{"run"}, parts...)...) }

// Log is the log of one process.
func (d Dir) Log(name string) string { return d.Path("log", name+".log") }

// PKI is a key or certificate in PEM.
func (d Dir) PKI(name string) string { return d.Path("pki", name) }

// CA is the certificate of the lab's company CA, which signs the services' certificates.
func (d Dir) CA() string { return d.PKI("ca.crt") }

// HubBundle is JupyterHub's server certificate with its whole chain, as AIV hands it over; its
// private key is in HubKey.
func (d Dir) HubBundle() string { return d.PKI("hub-bundle.pem") }

// HubKey is the private key of JupyterHub's server certificate, as AIV hands it over.
func (d Dir) HubKey() string { return d.PKI("hub-bundle.key") }

// Secret is a file with one generated secret.
func (d Dir) Secret(name string) string { return d.Path("secrets", name) }

// RegistryPassword is the file with the password of the registry's user.
func (d Dir) RegistryPassword() string { return d.Secret("registry-password") }

// EntraSecret is the file with the client secret of the application in Entra ID.
func (d Dir) EntraSecret() string { return d.Secret("entra-client-secret") }

// TestUserPassword is the file with the password of the test user in Entra ID.
func (d Dir) TestUserPassword() string { return d.Secret("entra-test-user-password") }

// Kubeconfig is the runner's: a service account with the rights in deploy/.
func (d Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// AdminKubeconfig is the cluster administrator's.
func (d Dir) AdminKubeconfig() string { return d.Path("admin.kubeconfig") }

// Answers is the answers file that is true for the healthy lab.
func (d Dir) Answers() string { return d.Path("answers.yaml") }

// Fault is the marker of an active fault: the file exists while the fault does, and holds
// what mending it needs.
func (d Dir) Fault(name string) string { return d.Path("faults", name) }

// FaultActive says whether the fault's marker exists. Servers of the lab ask it for every
// request, so that a fault needs no restart.
func (d Dir) FaultActive(name string) bool {
	_, err := os.Stat(d.Fault(name))
	return err == nil
}

// Registry is where the registry keeps its blobs.
func (d Dir) Registry() string { return d.Path("registry") }

// Storage is where the CSI driver keeps the image files and shared folders of its volumes.
func (d Dir) Storage() string { return d.Path("storage") }

// Node is a file of one node; below it are the folders that the node sees as /var/lib/kubelet
// and the like.
func (d Dir) Node(name string, parts ...string) string {
	return d.Path(append([]string{"nodes", name}, parts...)...)
}

// Full says whether the lab is a full one. MakeFull makes it one, until it is taken down.
func (d Dir) Full() bool {
	_, err := os.Stat(d.Run("full"))
	return err == nil
}

// MakeFull makes the lab a full one.
func (d Dir) MakeFull() error { return os.WriteFile(d.Run("full"), nil, 0o644) }

// Make creates the state folder's fixed folders. Keys and secrets are readable by the owner
// only.
func (d Dir) Make() error {
	var failed []error
	for folder, mode := range map[string]os.FileMode{
		"": 0o755, "bin": 0o755, "run": 0o755, "log": 0o755, "pki": 0o700, "secrets": 0o700,
		"faults": 0o755, "registry": 0o755, "storage": 0o755, "nodes": 0o755,
	} {
		failed = append(failed, os.MkdirAll(d.Path(folder), mode))
	}
	return errors.Join(failed...)
}
