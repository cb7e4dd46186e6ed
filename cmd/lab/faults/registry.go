package faults

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/cmd/lab/registry"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/topology"
)

// afterPush are the checks that need the image which 5.1.4 pushes.
var afterPush = []string{"5.1.5", "5.1.6"}

// afterPull are the checks whose pods need the image of runner and probe: what keeps nodes
// from pulling reaches them where a node does not hold it yet.
var afterPull = without(podItems, "5.1.6", "6.1.1")

// registryFaults are the defects of the registry and of the namespace's pull secret.
func registryFaults() []Fault {
	return append([]Fault{
		{
			Name:        "registry-down",
			Description: "the registry does not run: connections are refused",
			Failed:      []string{"5.1.1", "N.2.registry-asks"},
			Undecided:   []string{"5.1.2", "5.1.3", "5.1.4", "5.1.5", "5.1.6"},
			May:         afterPull,
			MayFail:     []string{"2.3.4.5", "N.2.registry-from-pods"},
			Words:       []string{"refused"},
			Break:       stopProcesses("registry"),
			Mend:        startProcesses,
		},
		{
			Name:        registry.FaultPassword,
			Description: "the password that the answers refer to is not the registry's any more",
			Failed:      []string{"5.1.3"},
			May:         append([]string{"5.1.2", "5.1.4"}, afterPush...),
			Words:       []string{"401"},
			Answers:     true,
			Break:       replacePassword,
			Mend:        restorePassword,
		},
		{
			Name:        registry.FaultAnonymous,
			Description: "the registry lets everybody read without credentials",
			Failed:      []string{"5.1.3", "5.1.6"},
			Words:       []string{"without"},
		},
		{
			Name:        registry.FaultRepositoryGone,
			Description: "the registry does not know the repository any more when something is pushed",
			Failed:      []string{"5.1.2", "5.1.4"},
			May:         afterPush,
			Words:       []string{"404", "NAME_UNKNOWN"},
		},
		{
			Name:        registry.FaultPushRefused,
			Description: "the registry refuses the upload of blobs with 403",
			Failed:      []string{"5.1.4"},
			May:         append([]string{"5.1.2"}, afterPush...),
			Words:       []string{"403", "blob"},
		},
		{
			Name:        registry.FaultManifestRefused,
			Description: "the registry takes blobs and refuses manifests with 403",
			Failed:      []string{"5.1.4"},
			May:         afterPush,
			Words:       []string{"403", "manifest"},
		},
		{
			Name:        registry.FaultDeleteRefused,
			Description: "the registry refuses to delete with 403",
			Failed:      []string{"5.1.4"},
			Words:       []string{"403", "delet"},
		},
		{
			Name:        registry.FaultBlobCorrupted,
			Description: "the registry answers with blobs in which one byte is wrong",
			Failed:      []string{"5.1.5"},
			May:         append([]string{"5.1.6"}, afterPull...),
			Words:       []string{"digest"},
		},
	}, pullSecretFaults()...)
}

// pullSecretFaults are the defects of the secret that nodes pull with.
func pullSecretFaults() []Fault {
	fault := func(name, description string, change func(*corev1.Secret) (*corev1.Secret, error), words ...string) Fault {
		return Fault{
			Name: name, Description: description, Failed: []string{"5.1.6"},
			May:   afterPull,
			Words: words, Break: changePullSecret(change), Mend: restorePullSecret,
		}
	}
	return []Fault{
		fault("pull-secret-missing", "the pull secret does not exist",
			func(*corev1.Secret) (*corev1.Secret, error) { return nil, nil }, topology.PullSecret),
		fault("pull-secret-other-registry", "the pull secret holds credentials for another registry only",
			func(s *corev1.Secret) (*corev1.Secret, error) {
				return withLogin(s, "docker."+topology.Domain+":5000", "unused")
			}, "docker."+topology.Domain),
		fault("pull-secret-wrong-password", "the pull secret holds a password that the registry refuses",
			func(s *corev1.Secret) (*corev1.Secret, error) {
				return withLogin(s, topology.Registry, "not the password")
			}, "401"),
		fault("pull-secret-wrong-type", "the pull secret is of type Opaque, which nodes do not pull with",
			func(s *corev1.Secret) (*corev1.Secret, error) {
				s.Type = corev1.SecretTypeOpaque
				return s, nil
			}, "Opaque"),
	}
}

func withLogin(secret *corev1.Secret, host, password string) (*corev1.Secret, error) {
	content, err := seed.DockerConfig(host, topology.RegistryUser, password)
	secret.Data = map[string][]byte{corev1.DockerConfigJsonKey: content}
	return secret, err
}

// changePullSecret replaces the secret by what change makes of it, nothing for nil.
func changePullSecret(change func(*corev1.Secret) (*corev1.Secret, error)) func(context.Context, *Lab, func([]byte) error) error {
	return func(ctx context.Context, lab *Lab, keep func([]byte) error) error {
		cluster, err := lab.Cluster()
		if err != nil {
			return err
		}
		secret, err := cluster.Client.CoreV1().Secrets(topology.Namespace).Get(ctx, topology.PullSecret, metav1.GetOptions{})
		if err != nil {
			return err
		}
		secret.ObjectMeta = metav1.ObjectMeta{Name: secret.Name, Namespace: secret.Namespace, Labels: secret.Labels, Annotations: secret.Annotations}
		kept, err := json.Marshal(secret)
		if err == nil {
			err = keep(kept)
		}
		if err != nil {
			return err
		}
		changed, err := change(secret)
		if err != nil {
			return err
		}
		return replacePullSecret(ctx, cluster, changed)
	}
}

func restorePullSecret(ctx context.Context, lab *Lab, kept []byte) error {
	if len(kept) == 0 { // it was not changed
		return nil
	}
	var secret corev1.Secret
	if err := json.Unmarshal(kept, &secret); err != nil {
		return err
	}
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	return replacePullSecret(ctx, cluster, &secret)
}

// replacePullSecret deletes the pull secret and creates the new one, if there is one: a
// secret's type cannot be changed.
func replacePullSecret(ctx context.Context, cluster *seed.Cluster, secret *corev1.Secret) error {
	secrets := cluster.Client.CoreV1().Secrets(topology.Namespace)
	if err := secrets.Delete(ctx, topology.PullSecret, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if secret == nil {
		return nil
	}
	_, err := secrets.Create(ctx, secret, metav1.CreateOptions{})
	return err
}

// replacePassword writes another password where the answers file points to.
func replacePassword(_ context.Context, lab *Lab, keep func([]byte) error) error {
	path := lab.Dir.RegistryPassword()
	right, err := os.ReadFile(path)
	if err == nil {
		err = keep(right)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte("wrong-"+topology.RegistryUser+"-password\n"), 0o600)
}

func restorePassword(_ context.Context, lab *Lab, kept []byte) error {
	if len(kept) == 0 {
		return nil
	}
	err := os.WriteFile(lab.Dir.RegistryPassword(), kept, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // the lab is down
		return nil
	}
	return err
}
