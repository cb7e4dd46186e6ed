package kubeerr

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"aiv.internal/conformance/framework/finding"
)

// LackingRight returns the finding that the runner may not use verb on resource, for errors in
// which the API server does not name them: those of a watch.
func LackingRight(err error, verb, resource, doing string) *finding.Finding {
	f := describe(MissingRight, err, doing)
	if rbacMessage.FindStringSubmatch(err.Error()) == nil {
		f.Why = fmt.Sprintf("%s may not %s %s", identity(err), verb, resource)
	}
	return f.Because(err)
}

// describe words a finding. What keeps us from asking is undecided; what the cluster decides
// about an object like JupyterHub's is a failure, since the chart will meet it as well.
func describe(reason Reason, err error, doing string) *finding.Finding {
	found := message(err)
	failed := func(why, do string) *finding.Finding { return finding.Failed(doing, found, why, do) }
	undecided := func(why, do string) *finding.Finding { return finding.NotDecided(doing, found, why, do) }
	switch reason {
	case Interrupted:
		return undecided("the time for this check was over, or the run was interrupted",
			"run it again; raise --timeout if the cluster is slow")
	case MissingRight:
		return undecided(fmt.Sprintf("%s may not %s", identity(err), MissingRightOf(err)),
			"grant the right: deploy/rbac.yaml and deploy/installer-role.yaml list all that the runner needs")
	case NotAuthenticated:
		return undecided("the API server does not accept the credentials: expired, revoked, or of another cluster",
			"renew the kubeconfig or the service account's token")
	case Escalation:
		return failed("RBAC lets an identity grant only rights that it holds itself",
			"give the installing identity the rights that the chart's roles contain: deploy/installer-role.yaml")
	case Quota:
		return failed("the namespace's ResourceQuota has no room for this object",
			"raise the ResourceQuota, or remove what is no longer needed in the namespace")
	case LimitRange:
		return failed("a LimitRange of the namespace forbids these amounts",
			"change the LimitRange, or the amounts that are asked for")
	case PodSecurity:
		return failed("the namespace's Pod Security level forbids a setting of this pod",
			"change the setting, or the namespace's pod-security.kubernetes.io/enforce label")
	case Webhook:
		return failed("an admission webhook of the cluster refused the object",
			"ask those who run the webhook named above to admit it, or to say what it must look like")
	case WebhookBroken:
		return failed("the API server could not reach an admission webhook that it must ask",
			"restore the webhook's service, or its certificate: nothing of this kind can be created meanwhile")
	case Policy:
		return failed("a ValidatingAdmissionPolicy of the cluster refused the object",
			"change the object as the policy says, or except the namespace from the policy")
	case Terminating:
		return failed("the namespace is being deleted",
			"wait until it is gone and create it again; finalizers in its status say what holds it up")
	case Admission:
		return failed("an admission plugin of the API server refused the object", "change what the message names")
	case NotFound:
		return failed("no such object, or no such namespace", "create it, or correct its name in the answers file")
	case NotServed:
		return failed("the API server does not serve this kind: its CustomResourceDefinition or API version is not there",
			"install the component that brings the kind, or correct the answer")
	case Exists:
		return failed("an object of that name is there already", "remove it: `runner cleanup` removes what an earlier run left")
	case Conflict:
		return undecided("somebody else changed the object at the same time", "run it again")
	case Invalid:
		return failed("the object breaks a rule of the API", "correct the answer that the message names")
	case Busy:
		return undecided("the API server is too busy", "run it again later, or with a lower --parallel")
	case TimedOut:
		return undecided("the API server did not answer in time", "see whether the control plane is overloaded, then run it again")
	case ServerError:
		return undecided("the API server has a fault of its own", "see the API server's and etcd's health, then run it again")
	case Unreachable:
		why, do := connectionTrouble(err)
		return undecided(why, do)
	}
	return undecided("", "see the message; run with -v for more")
}

// message returns what the API server said, without the client's wrapping.
func message(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	return err.Error()
}

func identity(err error) string {
	if user := userOf(err); user != "" {
		return user
	}
	return "the runner's identity"
}

func isConnection(err error) bool {
	var operation *net.OpError
	var address *url.Error
	var dns *net.DNSError
	return errors.As(err, &operation) || errors.As(err, &dns) || errors.As(err, &address) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNREFUSED)
}

// connectionTrouble says which step on the way to the API server broke.
func connectionTrouble(err error) (why, do string) {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return "the name of the API server does not resolve from here", "correct the kubeconfig's server, or the DNS that the runner uses"
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &certificate):
		return "the API server's certificate is not trusted", "correct certificate-authority-data or the server's name in the kubeconfig"
	case strings.Contains(err.Error(), "remote error: tls"):
		return "the API server refused the client certificate", "renew the client certificate in the kubeconfig"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at the API server's address", "see whether the API server runs, and whether the kubeconfig names the right port"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no route to the API server from here", "run where the API server can be reached, or open the firewall"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection to the API server broke", "see the load balancer before it and its own health, then run it again"
	}
	return "the API server cannot be reached", "see the kubeconfig's server, proxies and firewalls"
}
