package kubeerr

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aiv.internal/conformance/framework/finding"
)

var pods = schema.GroupResource{Resource: "pods"}

func forbidden(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: 403, Message: message}}
}

func status(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: "Failure", Reason: reason, Code: code, Message: message}}
}

// The messages are those of a Kubernetes 1.36 API server.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		name      string
		err       error
		want      Reason
		undecided bool
		words     string // in the finding
	}{
		{"rbac", forbidden(`persistentvolumeclaims is forbidden: User "system:serviceaccount:jupyterhub-prod:conformance-runner" cannot create resource "persistentvolumeclaims" in API group "" in the namespace "jupyterhub-prod"`),
			MissingRight, true, "create persistentvolumeclaims in namespace jupyterhub-prod"},
		{"rbac, cluster", forbidden(`csinodes.storage.k8s.io is forbidden: User "jane" cannot list resource "csinodes" in API group "storage.k8s.io" at the cluster scope`),
			MissingRight, true, "jane may not list csinodes.storage.k8s.io (cluster-wide)"},
		{"rbac, subresource and named", forbidden(`pods "x" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace "a"`),
			MissingRight, true, "get pods/log in namespace a"},
		{"rbac, non-resource", forbidden(`forbidden: User "system:anonymous" cannot get path "/readyz"`), MissingRight, true, "system:anonymous may not get /readyz"},
		{"watch without a right", forbidden("unknown"), MissingRight, true, "unnamed right"},
		{"quota", forbidden(`persistentvolumeclaims "x" is forbidden: exceeded quota: jupyterhub, requested: requests.storage=100Gi, used: requests.storage=1Gi, limited: requests.storage=20Gi`), Quota, false, "limited: requests.storage=20Gi"},
		{"quota demands limits", forbidden(`pods "x" is forbidden: failed quota: jupyterhub: must specify limits.cpu for: probe`), Quota, false, "must specify limits.cpu"},
		{"limit range", forbidden(`pods "x" is forbidden: minimum cpu usage per Container is 100m, but request is 10m`), LimitRange, false, "minimum cpu"},
		{"limit range of claims", forbidden(`persistentvolumeclaims "x" is forbidden: maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 20Gi`), LimitRange, false, "10Gi"},
		{"pod security", forbidden(`pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged (container "c" must not set securityContext.privileged=true)`), PodSecurity, false, "privileged"},
		{"webhook 403", forbidden(`admission webhook "validate.kyverno.svc-fail" denied the request: no`), Webhook, false, "kyverno"},
		{"webhook 400", status(400, metav1.StatusReasonBadRequest, `admission webhook "x" denied the request: no`), Webhook, false, ""},
		{"webhook gone", status(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "x": failed to call webhook: Post "https://x.svc:443/": dial tcp 10.66.0.1:443: connect: connection refused`), WebhookBroken, false, ""},
		{"policy", status(422, metav1.StatusReasonInvalid, `pods "x" is forbidden: ValidatingAdmissionPolicy 'images' with binding 'images' denied request: not from here`), Policy, false, "not from here"},
		{"terminating", forbidden(`pods "x" is forbidden: unable to create new content in namespace a because it is being terminated`), Terminating, false, ""},
		{"escalation", forbidden(`roles.rbac.authorization.k8s.io "hub" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:` + "\n" + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`), Escalation, false, "not currently held"},
		{"other admission", forbidden(`pods "x" is forbidden: error looking up service account a/b: serviceaccount "b" not found`), Admission, false, "serviceaccount"},
		{"401", apierrors.NewUnauthorized("Unauthorized"), NotAuthenticated, true, "renew"},
		{"not found", apierrors.NewNotFound(pods, "x"), NotFound, false, `pods "x" not found`},
		{"not served", status(404, metav1.StatusReasonNotFound, "the server could not find the requested resource"), NotServed, false, ""},
		{"exists", apierrors.NewAlreadyExists(pods, "x"), Exists, false, ""},
		{"busy", apierrors.NewTooManyRequests("slow down", 1), Busy, true, ""},
		{"server timeout", apierrors.NewServerTimeout(pods, "create", 1), TimedOut, true, ""},
		{"etcd", status(500, metav1.StatusReasonInternalError, "etcdserver: leader changed"), ServerError, true, ""},
		{"deadline", fmt.Errorf("get: %w", context.DeadlineExceeded), Interrupted, true, ""},
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, Unreachable, true, "nothing listens"},
		{"no such host", &net.DNSError{Name: "x", IsNotFound: true}, Unreachable, true, "does not resolve"},
		{"unknown authority", &net.OpError{Op: "remote", Err: x509.UnknownAuthorityError{}}, Unreachable, true, "not trusted"},
		{"something else", errors.New("odd"), Unknown, true, "odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ReasonOf(c.err); got != c.want {
				t.Errorf("reason %q, want %q", got, c.want)
			}
			f := FromAPI(c.err, "create the throwaway pod")
			if f.Undecided != c.undecided || !strings.Contains(f.Error(), c.words) || f.Do == "" {
				t.Errorf("undecided=%v, want %v:\n%v", f.Undecided, c.undecided, f)
			}
			if !errors.Is(f, c.err) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestNilAndFindingsPass(t *testing.T) {
	if FromAPI(nil, "x") != nil || ReasonOf(nil) != None {
		t.Error("nil became something")
	}
	own := finding.Failed("a", "b", "c", "d")
	if FromAPI(fmt.Errorf("wrapped: %w", own), "x") != own {
		t.Error("a finding was described again")
	}
}

func TestRealConnections(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	_, err := http.Get(server.URL) // without the server's CA
	if f := FromAPI(err, "get /"); ReasonOf(err) != Unreachable || !strings.Contains(f.Why, "not trusted") {
		t.Errorf("untrusted: %v", f)
	}
	server.Close()
	_, err = http.Get(server.URL)
	if f := FromAPI(err, "get /"); !strings.Contains(f.Why, "nothing listens") {
		t.Errorf("closed: %v", f)
	}
}
