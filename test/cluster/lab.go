// Package cluster makes the lab a cluster provider of sigs.k8s.io/e2e-framework, so that
// tests written for it also run on the other providers, kind among them. It drives the
// lab by its command, as the framework drives kind.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/support"
)

// readyTimeout bounds the wait for a control plane that `lab up` says is up.
const readyTimeout = 30 * time.Second

// Lab is the lab as a provider. There is one lab on a machine, so a name and a version
// cannot be chosen.
type Lab struct {
	root string
	path string
	err  error
}

var _ support.E2EClusterProvider = &Lab{}

// NewLab returns a provider for the lab of the repository that the working directory lies in.
func NewLab() *Lab {
	l := &Lab{}
	l.root, l.err = Root()
	return l
}

// Root returns the repository's root, above the working directory.
func Root() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		content, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), "module aiv.internal/conformance\n") {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("not inside the repository: no go.mod of aiv.internal/conformance above the working directory")
		}
		folder = parent
	}
}

// State returns the path of a file in the lab's state folder.
func (l *Lab) State(parts ...string) string {
	return filepath.Join(append([]string{l.root, ".lab"}, parts...)...)
}

// Command runs one of the lab's commands and returns what it prints. An error carries
// the end of its output.
func (l *Lab) Command(ctx context.Context, args ...string) (string, error) {
	if l.err != nil {
		return "", l.err
	}
	command := exec.CommandContext(ctx, l.path, args...)
	command.Dir = l.root
	output, err := command.CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("lab %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), nil
}

// SetDefaults sets the path at which the Makefile builds the lab's command.
func (l *Lab) SetDefaults() support.E2EClusterProvider {
	if l.path == "" {
		l.path = l.State("bin", "lab")
	}
	return l
}

// WithName changes nothing: there is one lab.
func (l *Lab) WithName(string) support.E2EClusterProvider { return l }

// WithVersion changes nothing: the lab's go.mod pins Kubernetes.
func (l *Lab) WithVersion(string) support.E2EClusterProvider { return l }

// WithPath sets the path of the lab's command.
func (l *Lab) WithPath(path string) support.E2EClusterProvider {
	l.path = path
	return l
}

// WithOpts applies options to the provider.
func (l *Lab) WithOpts(options ...support.ClusterOpts) support.E2EClusterProvider {
	for _, option := range options {
		option(l)
	}
	return l
}

// Create brings the full lab up and returns the path of the administrator's kubeconfig.
func (l *Lab) Create(ctx context.Context, args ...string) (string, error) {
	if _, err := l.Command(ctx, append([]string{"up", "--full"}, args...)...); err != nil {
		return "", err
	}
	return l.GetKubeconfig(), nil
}

// CreateWithConfig is refused: the lab takes no configuration file.
func (l *Lab) CreateWithConfig(context.Context, string) (string, error) {
	return "", errors.New("the lab takes no configuration file: use Create")
}

// GetKubeconfig returns the path of the administrator's kubeconfig.
func (l *Lab) GetKubeconfig() string { return l.State("admin.kubeconfig") }

// GenerateKubeconfig returns GetKubeconfig's path; the lab writes one file for all.
func (l *Lab) GenerateKubeconfig(...string) (string, error) { return l.GetKubeconfig(), nil }

// GetKubectlContext returns the kubeconfig's current context.
func (l *Lab) GetKubectlContext() string {
	config, err := clientcmd.LoadFromFile(l.GetKubeconfig())
	if err != nil {
		return ""
	}
	return config.CurrentContext
}

// ExportLogs copies the logs of the lab's programs.
func (l *Lab) ExportLogs(_ context.Context, destination string) error {
	return os.CopyFS(destination, os.DirFS(l.State("log")))
}

// Destroy takes the lab down and keeps what was built.
func (l *Lab) Destroy(ctx context.Context) error {
	_, err := l.Command(ctx, "down")
	return err
}

// WaitForControlPlane waits until the API server says that it is ready.
func (l *Lab) WaitForControlPlane(ctx context.Context, client klient.Client) error {
	probe, err := kubernetes.NewForConfig(client.RESTConfig())
	if err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, readyTimeout, true, func(ctx context.Context) (bool, error) {
		return probe.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil, nil
	})
}

// KubernetesRestConfig returns the administrator's client configuration, nil if there is none.
func (l *Lab) KubernetesRestConfig() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", l.GetKubeconfig())
	if err != nil {
		return nil
	}
	return config
}
