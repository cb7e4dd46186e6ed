package seed

import (
	"context"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"aiv.internal/conformance/cmd/lab/csi"
	"aiv.internal/conformance/cmd/lab/gpu"
	"aiv.internal/conformance/cmd/lab/kubeconfig"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// tokenLifetime is that of a service account's token: long enough not to be a finding.
const tokenLifetime = 365 * 24 * time.Hour

// All seeds the cluster: what is cluster-wide, and the customer's namespace.
func All(ctx context.Context, cluster *Cluster, dir state.Dir) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return cluster.applyEmbedded(ctx, "dns.yaml") })
	group.Go(func() error { return storage(ctx, cluster) })
	group.Go(func() error { return GPU(ctx, cluster) })
	group.Go(func() error { return Namespace(ctx, cluster, dir) })
	return group.Wait()
}

func storage(ctx context.Context, cluster *Cluster) error {
	if err := cluster.Apply(ctx, "", csi.CRDs()); err != nil {
		return err
	}
	return cluster.Apply(ctx, "", csi.Objects())
}

// GPU applies what NVIDIA's operator would have. The nodes' labels are written when there are
// nodes.
func GPU(ctx context.Context, cluster *Cluster) error {
	if err := cluster.Apply(ctx, "", gpu.CRDs()); err != nil {
		return err
	}
	return cluster.Apply(ctx, "", gpu.Objects())
}

// Namespace seeds the customer's namespace and the runner's rights and credentials. It also
// makes the namespace anew when it is gone.
func Namespace(ctx context.Context, cluster *Cluster, dir state.Dir) error {
	if err := cluster.applyEmbedded(ctx, "namespace.yaml"); err != nil {
		return err
	}
	if err := Policies(ctx, cluster); err != nil {
		return err
	}
	if err := Rights(ctx, cluster, dir); err != nil {
		return err
	}
	if err := pullSecret(ctx, cluster, dir); err != nil {
		return err
	}
	return RunnerKubeconfig(ctx, cluster, dir)
}

// Policies are the NetworkPolicies of the customer's namespace.
func Policies(ctx context.Context, cluster *Cluster) error {
	return cluster.applyEmbedded(ctx, "policies.yaml")
}

// Rights applies the manifests in deploy/: exactly what an administrator would apply.
func Rights(ctx context.Context, cluster *Cluster, dir state.Dir) error {
	return cluster.ApplyFiles(ctx, topology.Namespace, filepath.Join(dir.Root(), "deploy"))
}

// pullSecret is the secret with which nodes pull from the lab's registry.
func pullSecret(ctx context.Context, cluster *Cluster, dir state.Dir) error {
	password, err := os.ReadFile(dir.RegistryPassword())
	if err != nil {
		return err
	}
	content, err := DockerConfig(topology.Registry, topology.RegistryUser, strings.TrimSpace(string(password)))
	if err != nil {
		return err
	}
	return cluster.applyTyped(ctx, topology.Namespace, &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: topology.PullSecret, Namespace: topology.Namespace},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: content},
	})
}

// DockerConfig is the content of a kubernetes.io/dockerconfigjson secret for one registry.
func DockerConfig(registry, user, password string) ([]byte, error) {
	type login struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Auth     string `json:"auth"`
	}
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return json.Marshal(map[string]map[string]login{"auths": {registry: {user, password, auth}}})
}

// RunnerKubeconfig writes the runner's kubeconfig with a new token.
func RunnerKubeconfig(ctx context.Context, cluster *Cluster, dir state.Dir) error {
	return cluster.AccountKubeconfig(ctx, dir, topology.Namespace, topology.ServiceAccount, dir.Kubeconfig())
}

// AccountKubeconfig writes the kubeconfig of a service account, with a new token, at path.
func (c *Cluster) AccountKubeconfig(ctx context.Context, dir state.Dir, namespace, account, path string) error {
	seconds := int64(tokenLifetime.Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("token of %s: %w", account, err)
	}
	return kubeconfig.Write(dir, path, namespace, kubeconfig.User{Name: account, Token: answer.Status.Token})
}

func (c *Cluster) applyEmbedded(ctx context.Context, name string) error {
	content, err := manifests.ReadFile("manifests/" + name)
	if err != nil {
		return err
	}
	return c.Apply(ctx, "", content)
}

func (c *Cluster) applyTyped(ctx context.Context, namespace string, object runtime.Object) error {
	content, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	return c.Apply(ctx, namespace, content)
}
