package registry

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// pullSecretOf reads the pull secret and returns what it holds for the image. Its findings
// name registries and users, never a password.
func pullSecretOf(ctx context.Context, client kubernetes.Interface, namespace, name, image string) (authn.AuthConfig, error) {
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if kubeerr.ReasonOf(err) == kubeerr.NotFound {
		return authn.AuthConfig{}, finding.Failed("pull secret "+name+" in namespace "+namespace, "there is none of that name",
			"it was not created, or in another namespace", "create it there with: kubectl create secret docker-registry").Because(err)
	}
	if err != nil {
		return authn.AuthConfig{}, kubeerr.FromAPI(err, "read pull secret "+namespace+"/"+name)
	}
	return credentialsIn(secret, image)
}

// credentialsIn returns what a pull secret holds for an image.
func credentialsIn(secret *corev1.Secret, image string) (authn.AuthConfig, error) {
	var none authn.AuthConfig
	expected := "Secret " + secret.Name + " of type " + string(corev1.SecretTypeDockerConfigJson)
	if secret.Type != corev1.SecretTypeDockerConfigJson {
		return none, finding.Failed(expected, "it is of type "+string(secret.Type), "it was created as a generic secret: the kubelet does not look into it",
			"delete it and create it again with: kubectl create secret docker-registry")
	}
	var config struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal(secret.Data[corev1.DockerConfigJsonKey], &config); err != nil {
		// The text of a JSON error can quote what it could not read.
		return none, finding.Failed(expected+" with a Docker configuration in "+corev1.DockerConfigJsonKey, "what is there cannot be read as one",
			"it was encoded twice, or an \"auth\" in it is no base64 of user:password", "create it again with: kubectl create secret docker-registry")
	}
	host, _, _ := strings.Cut(image, "/")
	var keys []string
	best := ""
	for key := range config.Auths {
		keys = append(keys, key)
		if covers(key, image) && len(key) > len(best) {
			best = key
		}
	}
	if best == "" {
		slices.Sort(keys)
		found := "it names " + strings.Join(keys, ", ")
		if len(keys) == 0 {
			found = "it names no registry"
		}
		return none, finding.Failed("Secret "+secret.Name+" holds credentials for "+host, found,
			"it was made for another registry, or the port is missing: it must be "+host+", as in the image's name", "create it again with --docker-server="+host)
	}
	found := config.Auths[best]
	if found.Username == "" || found.Password == "" {
		return none, finding.Failed("Secret "+secret.Name+" holds user name and password for "+host, "the entry "+best+" lacks one of them",
			"it was copied from a machine that keeps credentials in a store of its own (credsStore), or holds a token that the kubelet does not use", "create it again with: kubectl create secret docker-registry")
	}
	return found, nil
}

// covers tells whether the kubelet takes the credentials under key for the image
// (kubernetes/pkg/credentialprovider/keyring.go, Add and URLsMatch): the scheme and a leading
// /v1/ or /v2/ do not count, the port does, the path is a prefix, and parts of the host's
// name may be patterns.
func covers(key, image string) bool {
	if !strings.HasPrefix(key, "https://") && !strings.HasPrefix(key, "http://") {
		key = "https://" + key
	}
	pattern, err := url.Parse(key)
	if err != nil {
		return false
	}
	target, err := url.Parse("https://" + image)
	if err != nil {
		return false
	}
	prefix := pattern.Path
	if strings.HasPrefix(prefix, "/v1/") || strings.HasPrefix(prefix, "/v2/") {
		prefix = prefix[len("/v1"):]
	}
	if prefix != "/" && !strings.HasPrefix(target.Path, prefix) {
		return false
	}
	patternHost, patternPort := hostAndPort(pattern.Host)
	targetHost, targetPort := hostAndPort(target.Host)
	if patternPort != targetPort || len(patternHost) != len(targetHost) {
		return false
	}
	for i := range patternHost {
		if matched, err := path.Match(patternHost[i], targetHost[i]); err != nil || !matched {
			return false
		}
	}
	return true
}

func hostAndPort(hostport string) ([]string, string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = hostport, ""
	}
	return strings.Split(host, "."), port
}
