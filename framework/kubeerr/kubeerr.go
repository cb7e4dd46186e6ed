// Package kubeerr turns an error of the Kubernetes API into a finding: who refused (RBAC,
// quota, admission, Pod Security, the network), in whose words, and what to do about it. It
// reads the API's error messages only where the status itself does not tell, and never hides
// the original text.
package kubeerr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"aiv.internal/conformance/framework/finding"
)

// Reason says who or what refused a request.
type Reason string

// The reasons that this suite tells apart.
const (
	None             Reason = ""
	Interrupted      Reason = "interrupted"       // our own context ended
	MissingRight     Reason = "missing right"     // RBAC refuses the runner's identity
	Escalation       Reason = "escalation"        // RBAC refuses to grant what the identity does not hold
	NotAuthenticated Reason = "not authenticated" // 401
	Quota            Reason = "quota"             // a ResourceQuota refuses
	LimitRange       Reason = "limit range"       // a LimitRange refuses
	PodSecurity      Reason = "pod security"      // the namespace's Pod Security level refuses
	Webhook          Reason = "webhook"           // an admission webhook refuses
	WebhookBroken    Reason = "webhook broken"    // an admission webhook cannot be asked
	Policy           Reason = "policy"            // a ValidatingAdmissionPolicy refuses
	Terminating      Reason = "terminating"       // the namespace is being deleted
	Admission        Reason = "admission"         // another admission plugin refuses
	NotFound         Reason = "not found"         // the object, or a namespace around it
	NotServed        Reason = "not served"        // the API server does not know the kind
	Exists           Reason = "exists"            // an object of that name is there
	Conflict         Reason = "conflict"          // somebody changed it meanwhile
	Invalid          Reason = "invalid"           // the object breaks the API's rules
	Busy             Reason = "busy"              // 429, or a server that asks to wait
	ServerError      Reason = "server error"      // 5xx
	Unreachable      Reason = "unreachable"       // no connection, TLS included
	TimedOut         Reason = "timed out"         // connected, no answer in time
	Unknown          Reason = "unknown"
)

// ReasonOf classifies err; None for nil. An error that already is a finding is classified by
// its cause.
func ReasonOf(err error) Reason {
	if err == nil {
		return None
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return statusReason(err, status.Status().Message, int(status.Status().Code))
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Interrupted
	case meta.IsNoMatchError(err):
		return NotServed
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case isConnection(err):
		return Unreachable
	}
	return Unknown
}

// FromAPI returns the finding for err, which the API server or the way to it answered while
// doing something ("create pod a/b"). It returns nil for nil, and err's own finding if it
// already holds one.
func FromAPI(err error, doing string) *finding.Finding {
	if err == nil {
		return nil
	}
	if f := finding.As(err); f != nil {
		return f
	}
	return describe(ReasonOf(err), err, doing).Because(err)
}

// statusReason tells apart what the API server answers under few codes: 403 alone stands for
// RBAC, quota, limit ranges, Pod Security, webhooks and policies.
func statusReason(err error, message string, code int) Reason {
	if r := admissionReason(message); r != None {
		return r
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return NotAuthenticated
	case apierrors.IsForbidden(err):
		if rbacMessage.MatchString(message) || !strings.Contains(message, ": ") {
			return MissingRight
		}
		return Admission
	case apierrors.IsNotFound(err):
		// The sentence of an unknown path or kind (apimachinery, NewGenericServerResponse).
		if strings.Contains(message, "the server could not find the requested resource") {
			return NotServed
		}
		return NotFound
	case apierrors.IsAlreadyExists(err):
		return Exists
	case apierrors.IsConflict(err):
		return Conflict
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), code == 413:
		return Invalid
	case apierrors.IsTooManyRequests(err):
		return Busy
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return TimedOut
	case code >= 500:
		return ServerError
	}
	return Unknown
}

// admissionReason recognises the sentences of admission, which come under 403, 400, 422 and
// 500, as the plugin likes.
func admissionReason(message string) Reason {
	for _, known := range []struct {
		words  string
		reason Reason
	}{
		{"failed calling webhook", WebhookBroken},
		{"admission webhook", Webhook}, // admission webhook "x" denied the request: ...
		{"ValidatingAdmissionPolicy", Policy},
		{"violates PodSecurity", PodSecurity},
		{"exceeded quota", Quota},
		{"failed quota", Quota},
		{"insufficient quota", Quota},
		{"because it is being terminated", Terminating},
		{"attempting to grant RBAC permissions not currently held", Escalation},
	} {
		if strings.Contains(message, known.words) {
			return known.reason
		}
	}
	if limitMessage.MatchString(message) {
		return LimitRange
	}
	return None
}

// The LimitRanger's sentences (plugin/pkg/admission/limitranger).
var limitMessage = regexp.MustCompile(`(?:maximum|minimum) \S+ usage per \w+|max limit to request ratio per|No limit is specified`)

// rbacMessage is the authorizer's sentence (apiserver, handlers/responsewriters/errors.go).
var rbacMessage = regexp.MustCompile(`User "(?P<user>[^"]*)" cannot (?P<verb>\S+) (?:resource|path) "(?P<resource>[^"]*)"(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?`)

// MissingRightOf returns the right that RBAC found missing, such as
// "create persistentvolumeclaims in namespace jupyterhub-prod"; empty if err is none of RBAC's.
func MissingRightOf(err error) string {
	if ReasonOf(err) != MissingRight {
		return ""
	}
	match := rbacMessage.FindStringSubmatch(err.Error())
	if match == nil {
		return "an unnamed right"
	}
	resource := match[rbacMessage.SubexpIndex("resource")]
	if group := match[rbacMessage.SubexpIndex("group")]; group != "" {
		resource += "." + group
	}
	right := match[rbacMessage.SubexpIndex("verb")] + " " + resource
	if namespace := match[rbacMessage.SubexpIndex("namespace")]; namespace != "" {
		return fmt.Sprintf("%s in namespace %s", right, namespace)
	}
	return right + " (cluster-wide)"
}

func userOf(err error) string {
	if match := rbacMessage.FindStringSubmatch(err.Error()); match != nil {
		return match[rbacMessage.SubexpIndex("user")]
	}
	return ""
}
