package registry

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"aiv.internal/conformance/framework/finding"
)

func TestCovers(t *testing.T) {
	const image = "registry.aiv.internal:5000/ml-platform/conformance-throwaway"
	for key, want := range map[string]bool{
		"registry.aiv.internal:5000":                        true,
		"https://registry.aiv.internal:5000":                true,
		"http://registry.aiv.internal:5000":                 true,
		"https://registry.aiv.internal:5000/v1/":            true,
		"https://registry.aiv.internal:5000/v2/":            true,
		"registry.aiv.internal:5000/ml-platform":            true,
		"registry.aiv.internal:5000/v2/ml-platform":         true,
		"*.aiv.internal:5000":                               true,
		"registry.aiv.internal":                             false, // another port
		"registry.aiv.internal:443":                         false,
		"registry.aiv.internal:5000/v2":                     false, // a path to the kubelet
		"registry.aiv.internal:5000/others":                 false,
		"aiv.internal:5000":                                 false,
		"*.internal:5000":                                   false,
		"registry-aiv.internal:5000":                        false,
		"https://index.docker.io/v1/":                       false,
		"registry.aiv.internal:5000/ml-platform/something":  false,
		"registry.aiv.internal:5000/ml-platform/conformanc": true, // a prefix, as the kubelet has it
		"::": false,
	} {
		if got := covers(key, image); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
	if !covers("registry.aiv.internal", "registry.aiv.internal/ml-platform/x") {
		t.Error("no port, no match")
	}
}

func pullSecret(kind corev1.SecretType, auths map[string]any) *corev1.Secret {
	text, _ := json.Marshal(map[string]any{"auths": auths})
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "registry-pull", Namespace: "hub"}, Type: kind,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: text}}
}

func TestCredentialsInPullSecret(t *testing.T) {
	const image = "registry.aiv.internal:5000/ml-platform/x"
	entry := map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte("jane:" + password))}
	right := corev1.SecretTypeDockerConfigJson
	broken := pullSecret(right, nil)
	broken.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths": {"x": {"auth": "` + password + `"`)
	for _, c := range []struct {
		name   string
		secret *corev1.Secret
		want   string
	}{
		{"right", pullSecret(right, map[string]any{"registry.aiv.internal:5000": entry, "other": entry}), ""},
		{"opaque", pullSecret(corev1.SecretTypeOpaque, map[string]any{"registry.aiv.internal:5000": entry}), "it is of type Opaque"},
		{"older type", pullSecret(corev1.SecretTypeDockercfg, nil), "kubernetes.io/dockercfg"},
		{"another registry", pullSecret(right, map[string]any{"docker.io": entry, "registry.aiv.internal": entry}), "it names docker.io, registry.aiv.internal"},
		{"empty", pullSecret(right, nil), "it names no registry"},
		{"no password", pullSecret(right, map[string]any{"registry.aiv.internal:5000": map[string]any{"username": "jane"}}), "lacks one of them"},
		{"broken", broken, "cannot be read as one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := pullSecretOf(t.Context(), fake.NewClientset(c.secret), "hub", "registry-pull", image)
			wantText(t, "secret", err, c.want)
			if err != nil && strings.Contains(err.Error(), password) {
				t.Error("the password is in the text")
			}
			if err == nil && (found.Username != "jane" || found.Password != password) {
				t.Errorf("%+v", found)
			}
		})
	}
	_, err := pullSecretOf(t.Context(), fake.NewClientset(), "hub", "registry-pull", image)
	wantText(t, "missing", err, "there is none of that name")
	if f := finding.As(err); f == nil || f.Undecided {
		t.Errorf("a missing secret is a failure: %v", err)
	}
}
