package answers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Secret refers to a credential that is kept elsewhere; exactly one of its fields is set.
type Secret struct {
	// Name of an environment variable that holds the value.
	Env string `yaml:"env" form:"env" example:"REGISTRY_PASSWORD"`
	// File that holds the value; a relative path starts at the answers file's folder.
	File string `yaml:"file" form:"path" example:"/run/secrets/registry-password"`
	// Kubernetes Secret that holds the value.
	Kubernetes *KubernetesSecret `yaml:"secret"`
}

// KubernetesSecret names one key of a Kubernetes Secret.
type KubernetesSecret struct {
	// Name of the Secret.
	Name string `yaml:"name" form:"dnsname" example:"jupyterhub-credentials" jsonschema:"required"`
	// Key in the Secret's data.
	Key string `yaml:"key" example:"registry-password" jsonschema:"required"`
	// Namespace of the Secret; JupyterHub's if left out.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"jupyterhub-prod"`
}

// SecretReader reads one key of a Kubernetes Secret. An empty namespace means JupyterHub's.
type SecretReader interface {
	ReadSecret(ctx context.Context, namespace, name, key string) (string, error)
}

// IsSet reports whether the secret is answered.
func (s Secret) IsSet() bool { return s.Env != "" || s.File != "" || s.Kubernetes != nil }

// String names the reference; a Secret never holds the value.
func (s Secret) String() string {
	switch {
	case s.Env != "":
		return "environment variable " + s.Env
	case s.File != "":
		return "file " + s.File
	case s.Kubernetes != nil:
		name := s.Kubernetes.Name
		if s.Kubernetes.Namespace != "" {
			name = s.Kubernetes.Namespace + "/" + name
		}
		return fmt.Sprintf("key %s of Secret %s", s.Kubernetes.Key, name)
	}
	return "no reference"
}

// Resolve returns the value that the secret refers to, without a newline at its end. Its errors
// name the reference and never the value. reader may be nil where no Kubernetes Secret is meant.
func (s Secret) Resolve(ctx context.Context, reader SecretReader) (string, error) {
	value, err := s.read(ctx, reader)
	if err != nil {
		return "", err
	}
	value = strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("the %s is empty", s)
	}
	return value, nil
}

func (s Secret) read(ctx context.Context, reader SecretReader) (string, error) {
	switch {
	case s.Env != "":
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("the %s is not set", s)
		}
		return value, nil
	case s.File != "":
		content, err := os.ReadFile(s.File)
		if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
			err = pathError.Err
		}
		if err != nil {
			return "", fmt.Errorf("the %s cannot be read: %w", s, err)
		}
		return string(content), nil
	case s.Kubernetes != nil:
		if reader == nil {
			return "", fmt.Errorf("the %s cannot be read without a cluster", s)
		}
		value, err := reader.ReadSecret(ctx, s.Kubernetes.Namespace, s.Kubernetes.Name, s.Kubernetes.Key)
		if err != nil {
			return "", fmt.Errorf("the %s cannot be read: %w", s, err)
		}
		return value, nil
	}
	return "", errors.New("the secret is not answered")
}

func (s Secret) validate() []problem {
	set := 0
	for _, is := range []bool{s.Env != "", s.File != "", s.Kubernetes != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return []problem{{text: "a secret is one of {env: NAME}, {file: PATH} and {secret: {name: NAME, key: KEY}}"}}
	}
	return nil
}

func (k KubernetesSecret) validate() []problem {
	return required(requirement{"name", k.Name != "", "the name of the Secret"},
		requirement{"key", k.Key != "", "the key in its data"})
}

// Value is a text, or a reference to a secret one.
type Value struct {
	// Text is set where it is no secret.
	Text string
	// Secret is set where it is one.
	Secret Secret
}

// IsZero reports whether neither is set.
func (v Value) IsZero() bool { return v.Text == "" && !v.Secret.IsSet() }

// Resolve returns the text or the secret's value.
func (v Value) Resolve(ctx context.Context, reader SecretReader) (string, error) {
	if v.Secret.IsSet() {
		return v.Secret.Resolve(ctx, reader)
	}
	return v.Text, nil
}
