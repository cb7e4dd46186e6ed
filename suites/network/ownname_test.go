package network

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/kubeerr"
)

// TestListenerForOneName: a Gateway that lets in JupyterHub's own name alone refuses a throwaway
// host, and is right.
func TestListenerForOneName(t *testing.T) {
	says := func(reasons ...string) toldRoute {
		var parents []any
		for _, reason := range reasons {
			parents = append(parents, map[string]any{"conditions": []any{
				map[string]any{"type": "Accepted", "status": "False", "reason": reason, "message": "no"},
				map[string]any{"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "message": ""},
			}})
		}
		return toldRoute{{"status": map[string]any{"parents": parents}}}
	}
	gateway := answers.Gateway{Namespace: "ingress", Name: "public"}
	expectFinding(t, takenBy(t.Context(), says("NoMatchingListenerHostname"), gateway), "undecided", "NoMatchingListenerHostname", "only one", "dns.domain")
	expectFinding(t, takenBy(t.Context(), says("NoMatchingListenerHostname", "NotAllowedByListeners"), gateway), "failed", "NotAllowedByListeners", "allowedRoutes")
}

// TestLoadBalancerForOneName: one that ends TLS may know JupyterHub's own name alone.
func TestLoadBalancerForOneName(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	status := func(code int) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		}
	}
	for code, want := range map[int]string{
		http.StatusNotFound: "undecided", http.StatusFound: "undecided", http.StatusForbidden: "undecided", http.StatusOK: "undecided",
		http.StatusMisdirectedRequest: "undecided", http.StatusServiceUnavailable: "undecided",
		http.StatusBadGateway: "failed", http.StatusGatewayTimeout: "failed",
	} {
		v := proxyTo(t, backend, nil, status(code), nil)
		v.fronted = true
		_, err := v.reach(t.Context(), testToken, soon)
		expectFinding(t, err, want, http.StatusText(code))
		if want == "undecided" {
			expectFinding(t, err, want, "lets only names through that it knows", "*.hub.example")
		}
	}
	half := proxyTo(t, backend, nil, everySecond(status(http.StatusNotFound)), nil)
	half.fronted = true
	_, err := half.reach(t.Context(), testToken, soon)
	expectFinding(t, err, "failed", "not all serve the host")
	strict := httptest.NewUnstartedServer(http.NotFoundHandler())
	strict.Config.ErrorLog = quiet
	strict.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no such host") }}
	strict.StartTLS()
	defer strict.Close()
	_, err = visitor{address: strict.Listener.Addr().String(), host: testHost, fronted: true}.reach(t.Context(), testToken, soon)
	expectFinding(t, err, "undecided", "remote error: tls", "lets only names through that it knows")
}

// TestRegisteredHostsOnly: what refuses a throwaway host may admit JupyterHub's.
func TestRegisteredHostsOnly(t *testing.T) {
	refused := func(words string) error {
		err := apierrors.NewForbidden(schema.GroupResource{Group: "networking.k8s.io", Resource: "ingresses"}, "cf", errors.New(words))
		return kubeerr.FromAPI(err, "create the throwaway ingress cf")
	}
	for words, want := range map[string]string{
		`ValidatingAdmissionPolicy 'hosts' with binding 'hosts' denied request: unknown host`:                                            "undecided",
		`admission webhook "validate.kyverno.svc-fail" denied the request: unknown host`:                                                 "undecided",
		`admission webhook "validate.nginx.ingress.kubernetes.io" denied the request: annotation proxy-body-size contains invalid value`: "failed",
		`admission webhook "vingress.elbv2.k8s.aws" denied the request: no such group`:                                                   "failed",
		`admission webhook "ingresses.validation.ingress-controller.konghq.com" denied the request: no`:                                  "failed",
		`admission webhook "hosts.example.com" denied the request: not as validate.nginx.ingress.kubernetes.io does`:                     "undecided",
		"exceeded quota: objects, requested: count/ingresses.networking.k8s.io=1":                                                        "failed",
	} {
		expectFinding(t, ofThrowaway(refused(words)), want, words)
	}
	if err := ofThrowaway(nil); err != nil {
		t.Error(err)
	}
	if err := ofThrowaway(io.EOF); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
