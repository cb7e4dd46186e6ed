package network

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/answers"
)

// TestRoutesForTLSNameTheirEntryPoints: one at all of them would have server-first protocols hang.
func TestRoutesForTLSNameTheirEntryPoints(t *testing.T) {
	for answered, want := range map[string][]any{
		"": {"websecure"}, " , ": {"websecure"}, "https": {"https"}, "internal, public,": {"internal", "public"},
	} {
		spec := ingressRouteTCP(testHost, "service", entryPoints(map[string]string{entryPointsKey: answered}))
		if !reflect.DeepEqual(spec["entryPoints"], want) {
			t.Errorf("%q: %v", answered, spec)
		}
	}
	if spec := ingressRouteTCP(testHost, "service", entryPoints(nil)); !reflect.DeepEqual(spec["entryPoints"], []any{"websecure"}) {
		t.Errorf("%v", spec)
	}
}

// nobodyServes answers 404, as a controller does that does not know a host.
func nobodyServes(http.Handler) http.Handler { return http.NotFoundHandler() }

func TestUnknownEntryPointIsUndecided(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	v := proxyTo(t, backend, nil, nobodyServes, nil)
	v.doubt = entryPointsDoubt(entryPoints(nil))
	_, err := v.reach(t.Context(), testToken, soon)
	expectFinding(t, err, "undecided", "404", "another name than websecure", entryPointsKey, "ingress controller's log")
	half := proxyTo(t, backend, nil, everySecond(nobodyServes), nil)
	half.doubt = v.doubt
	_, err = half.reach(t.Context(), testToken, soon)
	expectFinding(t, err, "failed", "not all serve the host")
}

// TestTraefikServesTLSAtNamedEntryPointsOnly: at all of them, other connections would hang.
func TestTraefikServesTLSAtNamedEntryPointsOnly(t *testing.T) {
	const tls = "traefik.ingress.kubernetes.io/router.tls"
	kept, leftOut := ownAnnotations(map[string]string{tls: "true"}, "service")
	if kept[tls] != "" || !slices.Equal(leftOut, []string{tls}) || !strings.Contains(leftOutDoubt(leftOut).do, entryPointsKey) {
		t.Errorf("kept %v, left out %v", kept, leftOut)
	}
	kept, leftOut = ownAnnotations(map[string]string{tls: "true", entryPointsKey: "websecure"}, "service")
	if kept[tls] != "true" || kept[entryPointsKey] != "websecure" || len(leftOut) > 0 {
		t.Errorf("kept %v, left out %v", kept, leftOut)
	}
}

// TestUnservedWithoutAnAnnotationIsUndecided: what was left out may be what has a host served.
func TestUnservedWithoutAnAnnotationIsUndecided(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	const group = "alb.ingress.kubernetes.io/group.name"
	for want, answered := range map[string]map[string]string{
		"undecided": {group: "shared"}, "failed": {"nginx.ingress.kubernetes.io/proxy-body-size": "100m"},
	} {
		v := proxyTo(t, backend, nil, nobodyServes, nil)
		_, leftOut := ownAnnotations(answered, "service")
		v.doubt = leftOutDoubt(leftOut)
		_, err := v.reach(t.Context(), testToken, soon)
		expectFinding(t, err, want, "404")
		if strings.Contains(err.Error(), group) != (want == "undecided") {
			t.Errorf("%v", err)
		}
	}
}

// TestDoubtIsAboutUnknownHosts: who answers as one does who knows the host, or was left without an
// annotation that others read, is not excused by what was left out.
func TestDoubtIsAboutUnknownHosts(t *testing.T) {
	shared := leftOutDoubt([]string{"alb.ingress.kubernetes.io/group.name", "cert-manager.io/cluster-issuer"})
	for want, answers := range map[string][]visit{
		"undecided": {{status: http.StatusOK, text: "welcome"}, {status: http.StatusNotFound}, {status: http.StatusMisdirectedRequest},
			{err: errors.New("remote error: tls: unrecognized name")}},
		"failed": {{status: http.StatusBadGateway}, {status: http.StatusServiceUnavailable}, {status: http.StatusGatewayTimeout},
			{status: http.StatusUnauthorized}, {status: http.StatusForbidden}, {status: http.StatusFound}, {err: io.EOF}},
	} {
		for _, last := range answers {
			f := unserved(visitor{host: testHost, doubt: shared}, last, tally{})
			expectFinding(t, f, want)
			if strings.Contains(f.Why, "group.name") != (want == "undecided") || strings.Contains(f.Why, "cert-manager") {
				t.Errorf("%+v: %v", last, f)
			}
		}
	}
	if d := leftOutDoubt([]string{"acme.cert-manager.io/http01-edit-in-place", "cert-manager.io/issuer", "external-dns.alpha.kubernetes.io/hostname"}); d != nil {
		t.Errorf("%+v", d)
	}
}

func TestWebSocketsAreLetThroughToTheThrowawayService(t *testing.T) {
	kept, leftOut := ownAnnotations(map[string]string{"nginx.org/websocket-services": "proxy-public,hub"}, "service")
	if kept["nginx.org/websocket-services"] != "service" || len(leftOut) > 0 {
		t.Errorf("kept %v, left out %v", kept, leftOut)
	}
}

// TestPortFitsTheBackendProtocol: who is told to speak TLS with the pod is led to where it does.
func TestPortFitsTheBackendProtocol(t *testing.T) {
	const key = "nginx.ingress.kubernetes.io/backend-protocol"
	for _, c := range []struct {
		controller, value string
		kept              bool
		port              string
	}{
		{communityNGINX, "HTTPS", true, "https"}, {communityNGINX, "https ", true, "https"}, {communityNGINX, "Http", true, "http"},
		{communityNGINX, "GRPCS", false, "http"}, {communityNGINX, "AUTO_HTTP", false, "http"}, {communityNGINX, "", false, "http"},
		{"k8s.io/internal-ingress-nginx", "HTTPS", true, "https"}, {"ingress.k8s.aws/alb", "HTTPS", true, "http"},
		{traefikController, "HTTPS", true, "http"}, {"haproxy.org/ingress-controller/internal", "HTTPS", true, "http"},
		{"haproxy-ingress.github.io/controller", "HTTPS", true, "http"}, {"ingress-controllers.konghq.com/kong", "HTTPS", true, "http"},
	} {
		kept, leftOut := ownAnnotations(map[string]string{key: c.value}, "service")
		if _, is := kept[key]; is != c.kept || slices.Contains(leftOut, key) == c.kept {
			t.Errorf("%q: kept %v, left out %v", c.value, kept, leftOut)
		}
		if port := backendPort(c.controller, kept); port != c.port {
			t.Errorf("%s, %q: led to port %s", c.controller, c.value, port)
		}
	}
	for controller, prefix := range map[string]string{
		"ingress.k8s.aws/alb": "alb.ingress.kubernetes.io", "eks.amazonaws.com/alb": "alb.ingress.kubernetes.io",
		"azure/application-gateway": "appgw.ingress.kubernetes.io", "haproxy-ingress.github.io/controller/internal": "haproxy-ingress.github.io",
	} {
		if port := backendPort(controller, map[string]string{prefix + "/backend-protocol": "HTTPS"}); port != "https" {
			t.Errorf("%s: led to port %s", controller, port)
		}
	}
	if port := backendPort(communityNGINX, nil); port != "http" {
		t.Error(port)
	}
}

// TestUnopenedIngress: OpenShift hands TLS on for whole hosts only, and refuses a path.
func TestUnopenedIngress(t *testing.T) {
	answered := answers.Ingress{ClassName: "class", Annotations: map[string]string{"haproxy.router.openshift.io/timeout": "1h"}}
	for controller, noPath := range map[string]bool{communityNGINX: false, "haproxy.org/ingress-controller": false, openshiftController: true} {
		o, known := unopenedIngress(controller, testHost, "service", answered)
		key, value, _ := passthrough(controller)
		if !known || o.NoPath != noPath || o.Port != "https" || o.Host != testHost || o.Class != "class" || o.Service != "service" ||
			o.Annotations[key] != value || o.Annotations["haproxy.router.openshift.io/timeout"] != "1h" || o.TLSSecret != "" {
			t.Errorf("%s: %+v", controller, o)
		}
	}
}
