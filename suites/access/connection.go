// Package access checks section 1.1, access to the Kubernetes cluster: the credentials, the
// version, the nodes, the namespace, and the rights that installing JupyterHub takes.
package access

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// soon is how long credentials must last before their end is worth a warning.
const soon = 30 * 24 * time.Hour

var _ = check.Subsection("1.1", func() {
	check.Item("1.1.1", func(ctx context.Context, _ answers.Cluster) {
		config := loadKubeconfig()
		check.Evidence("server", config.Host)
		if f := judgeScheme(config); f != nil {
			check.NoError(f, "read the kubeconfig")
		}
		if config.TLSClientConfig.Insecure {
			check.Fail("an API server whose certificate is verified", "the kubeconfig says insecure-skip-tls-verify",
				"the cluster's CA was not at hand when the kubeconfig was made", "put the CA into certificate-authority-data and drop insecure-skip-tls-verify")
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			failKubeconfig(err)
		}
		warnOfExpiry(config)
		user := whoAmI(ctx, client)
		check.Evidence("user", user)
		check.Step("ask /readyz")
		if f := judgeReady(askReady(ctx, client)); f != nil {
			check.NoError(f, "ask /readyz")
		}
		warnOfClusterAdmin(ctx, client, user)
	})
})

func loadKubeconfig() *rest.Config {
	check.Step("load the kubeconfig")
	config, err := check.Settings().ClientConfig().ClientConfig()
	if err != nil {
		failKubeconfig(err)
	}
	config.UserAgent = check.UserAgent()
	return config
}

// judgeScheme refuses a server without TLS: nobody vouches for it then, and everybody on the
// way can read the credentials.
func judgeScheme(config *rest.Config) *finding.Finding {
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return finding.Failed("a kubeconfig that names an API server", check.Redact(err.Error()), "its server is no web address", "correct the cluster's server in the kubeconfig").Because(err)
	}
	if server.Scheme != "https" {
		return finding.Failed("an API server that is asked over verified TLS", "the kubeconfig names "+server.Redacted(),
			"a proxy or an insecure port stands there for the API server", "name the API server's https:// address in the kubeconfig, and its CA")
	}
	return nil
}

// askReady returns the API server's own error, with its words: DoRaw would leave them out.
func askReady(ctx context.Context, client kubernetes.Interface) error {
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// judgeReady returns nil if /readyz answered ok. Only a server that says itself that it is not
// ready fails; one that did not answer, or does not let us ask, is not decided.
func judgeReady(err error) *finding.Finding {
	const expected = "/readyz answers ok"
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError {
		return finding.Failed(expected, err.Error(), "a part of the control plane is not ready", "ask for /readyz?verbose: it names the part").Because(err)
	}
	f := kubeerr.FromAPI(err, expected)
	if f != nil && !f.Undecided {
		return finding.NotDecided(f.Expected, f.Found, f.Why, f.Do).Because(err)
	}
	return f
}

func failKubeconfig(err error) {
	check.Fail("a kubeconfig that names a cluster and credentials", check.Redact(err.Error()),
		"the file is damaged, incomplete, or not the one that was meant",
		"get the kubeconfig anew from the cluster's owner; it is looked for in --kubeconfig, KUBECONFIG, KUBE_CONFIG (base64), the pod's service account and ~/.kube/config")
}

// whoAmI returns the name under which the API server knows the runner. Credentials that it
// refuses are the failure that this item is about; an unreachable server is not decided.
func whoAmI(ctx context.Context, client kubernetes.Interface) string {
	check.Step("ask the API server who we are")
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		f := kubeerr.FromAPI(err, "the API server accepts the credentials")
		if kubeerr.ReasonOf(err) == kubeerr.NotAuthenticated || strings.Contains(f.Found, "tls:") || strings.Contains(f.Found, "x509:") {
			check.Fail(f.Expected, f.Found, f.Why, f.Do)
		}
		check.NoError(err, f.Expected)
	}
	return review.Status.UserInfo.Username
}

// warnOfExpiry looks at the end of a client certificate or of a token that is a JWT.
func warnOfExpiry(config *rest.Config) {
	if end, what := credentialsEnd(config); !end.IsZero() {
		check.Evidence(what+" valid until", end.UTC().Format(time.RFC3339))
		left := time.Until(end)
		if left > 0 && left < soon {
			check.Warn(fmt.Sprintf("the %s ends on %s, in %.0f days", what, end.UTC().Format(time.DateOnly), left.Hours()/24),
				"its lifetime was set when it was issued", "have it renewed before then")
		}
	}
}

func credentialsEnd(config *rest.Config) (end time.Time, what string) {
	certificate := config.TLSClientConfig.CertData
	if len(certificate) == 0 && config.TLSClientConfig.CertFile != "" {
		certificate, _ = os.ReadFile(config.TLSClientConfig.CertFile)
	}
	if block, _ := pem.Decode(certificate); block != nil {
		if parsed, err := x509.ParseCertificate(block.Bytes); err == nil {
			return parsed.NotAfter, "client certificate"
		}
	}
	token := config.BearerToken
	if token == "" && config.BearerTokenFile != "" {
		content, _ := os.ReadFile(config.BearerTokenFile)
		token = strings.TrimSpace(string(content))
	}
	return tokenEnd(token), "token"
}

// tokenEnd reads the "exp" of a JWT (RFC 7519, 4.1.4) without verifying it: that is the API
// server's business. It is zero for any other token.
func tokenEnd(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(claims.Expires, 0)
}

// warnOfClusterAdmin: a runner, and an installer, that may do everything everywhere is more
// than the checklist asks for.
func warnOfClusterAdmin(ctx context.Context, client kubernetes.Interface, user string) {
	allowed, err := may(ctx, client, authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"})
	check.NoError(err, "ask whether the credentials are a cluster administrator's")
	if allowed {
		check.Warn(user+" may do everything in the whole cluster", "the kubeconfig is an administrator's",
			"use a service account with the rights in deploy/")
	}
}

// may asks the API server whether the runner's identity may do something.
func may(ctx context.Context, client kubernetes.Interface, what authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}}
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	if review.Status.EvaluationError != "" && !review.Status.Allowed {
		return false, finding.NotDecided("an answer about our rights", review.Status.EvaluationError, "an authorizer of the API server is broken", "ask those who run the cluster")
	}
	return review.Status.Allowed, nil
}
