package network

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

const (
	testHost  = "conformance-x.hub.example"
	testToken = "the-pod-itself"
)

// backendHere runs what a throwaway pod runs, and returns its addresses.
func backendHere(t *testing.T) (plain, secured string) {
	t.Helper()
	var ports [2]int
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = listener.Addr().(*net.TCPAddr).Port
		listener.Close()
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- probe.Serve(ctx, probe.ServeOptions{Token: testToken, Port: ports[0], TLSPort: ports[1], TLSName: testHost})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	plain, secured = fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	for range 100 {
		if connection, err := net.Dial("tcp", secured); err == nil {
			connection.Close()
			return plain, secured
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the backend does not listen")
	return "", ""
}

// proxyTo is an ingress controller: it ends TLS with the certificate and passes requests on.
// wrap may spoil it.
func proxyTo(t *testing.T, backend string, certificate *tls.Certificate, wrap func(http.Handler) http.Handler, spoil func(*httputil.ReverseProxy)) visitor {
	t.Helper()
	proxy := &httputil.ReverseProxy{ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: backend})
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
	if spoil != nil {
		spoil(proxy)
	}
	var handler http.Handler = proxy
	if wrap != nil {
		handler = wrap(proxy)
	}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet
	if certificate != nil {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return visitor{address: server.Listener.Addr().String(), host: testHost, agent: "test"}
}

// soon is a patience that tests have.
var soon = patience{served: 700 * time.Millisecond, reached: 300 * time.Millisecond}

func TestReachKnowsItsOwnPod(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	v := proxyTo(t, backend, nil, nil, nil)
	last, err := v.reach(t.Context(), testToken, soon)
	if err != nil {
		t.Fatal(err)
	}
	if last.protocol != "HTTP/2.0" || last.echo.Host != testHost || len(last.chain) == 0 || !slices.Contains(forwarded(last.echo.Headers), "X-Forwarded-Proto: https") {
		t.Errorf("%+v", last)
	}
	if _, err := v.reach(t.Context(), "another-pod", soon); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("%v", err)
	}
}

func TestReachSaysWhatCameInstead(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	status := func(code int) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Server", "front")
				if code < 400 {
					w.Header().Set("Location", "https://login.example/")
				}
				w.WriteHeader(code)
				io.WriteString(w, "no\n such   page")
			})
		}
	}
	for _, c := range []struct {
		name  string
		wrap  func(http.Handler) http.Handler
		words []string
	}{
		{"not served", status(http.StatusNotFound), []string{"404 Not Found from server front", `"no such page"`, "does not serve this host"}},
		{"no endpoints", status(http.StatusServiceUnavailable), []string{"503", "does not get through to the pod"}},
		{"login", status(http.StatusForbidden), []string{"403", "firewall"}},
		{"redirect", status(http.StatusFound), []string{"302", "to https://login.example/", "redirects"}},
		{"one of two", everySecond(status(http.StatusNotFound)), []string{"not all serve the host"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := proxyTo(t, backend, nil, c.wrap, nil).reach(t.Context(), testToken, soon)
			f := finding.As(err)
			if f == nil || f.Undecided || f.Why == "" || f.Do == "" {
				t.Fatalf("%v", err)
			}
			for _, words := range c.words {
				if !strings.Contains(f.Error(), words) {
					t.Errorf("the message lacks %q:\n%v", words, f)
				}
			}
		})
	}
}

// everySecond has every second request answered otherwise.
func everySecond(other func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(right http.Handler) http.Handler {
		n, wrong := 0, other(right)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n++; n%2 == 0 {
				wrong.ServeHTTP(w, r)
				return
			}
			right.ServeHTTP(w, r)
		})
	}
}

func TestReachWithoutAnAnswer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	v := visitor{address: closed.Addr().String(), host: testHost}
	_, err = v.reach(t.Context(), testToken, soon)
	if f := finding.As(err); f == nil || !f.Undecided || f.Do != "see item 2.2.1" {
		t.Errorf("%v", err)
	}
	strict := httptest.NewUnstartedServer(http.NotFoundHandler())
	strict.Config.ErrorLog = quiet
	strict.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, fmt.Errorf("no such host") }}
	strict.StartTLS()
	defer strict.Close()
	v.address = strict.Listener.Addr().String()
	_, err = v.reach(t.Context(), testToken, soon)
	if f := finding.As(err); f == nil || f.Undecided || !strings.Contains(f.Why, "no certificate for the host") {
		t.Errorf("%v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = v.reach(stopped, testToken, soon)
	if f := finding.As(err); f == nil || !f.Undecided {
		t.Errorf("an interrupted wait is decided: %v", err)
	}
}

func TestTermination(t *testing.T) {
	for _, c := range []struct {
		name  string
		seen  termination
		words string // "" for none
	}{
		{"at the controller", termination{answers.AtIngressController, true, "ours", "https"}, ""},
		{"in front", termination{answers.AtLoadBalancer, false, "theirs", "https"}, ""},
		{"in front, against the answer", termination{answers.AtIngressController, false, "theirs", "https"}, "something in front"},
		{"at the controller, against the answer", termination{answers.AtLoadBalancer, true, "ours", "https"}, "hands TLS on unopened"},
		{"not told", termination{answers.AtIngressController, true, "ours", ""}, "no X-Forwarded-Proto"},
		{"told wrongly", termination{answers.AtLoadBalancer, false, "theirs", "http"}, "X-Forwarded-Proto: http"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := judgeTermination(c.seen)
			if (f != nil) != (c.words != "") || f != nil && (!strings.Contains(f.Error(), c.words) || f.Do == "") {
				t.Errorf("%v", f)
			}
		})
	}
}

func TestGatewayListeners(t *testing.T) {
	gateway := map[string]any{"spec": map[string]any{"listeners": []any{
		map[string]any{"name": "plain", "protocol": "HTTP"}, map[string]any{"name": "secured", "protocol": "HTTPS"}}}}
	both, plain := listenerProtocols(gateway, ""), listenerProtocols(gateway, "plain")
	if !slices.Equal(both, []string{"HTTP", "HTTPS"}) || !slices.Equal(plain, []string{"HTTP"}) || listenerProtocols(nil, "") != nil {
		t.Error(both, plain)
	}
	if f := judgeGateway("a/b", both, answers.AtIngressController); f != nil {
		t.Error(f)
	}
	if f := judgeGateway("a/b", plain, answers.AtLoadBalancer); f != nil {
		t.Error(f)
	}
	expectFailed(t, judgeGateway("a/b", plain, answers.AtIngressController), "no listener for HTTPS (HTTP)")
	if f := judgeGateway("a/b", both, answers.AtLoadBalancer); f == nil || !f.Undecided {
		t.Error(f)
	}
}

func TestOwnCertificateIsRecognised(t *testing.T) {
	t.Parallel()
	backend, secured := backendHere(t)
	certificate, secret, err := selfSigned(testHost, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(secret["tls.crt"], secret["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	if seen := proxyTo(t, backend, &pair, nil, nil).visit(t.Context(), "/"); !seen.chain[0].Equal(certificate) {
		t.Errorf("%v", certificateLine(seen.chain[0]))
	}
	if seen := proxyTo(t, backend, nil, nil, nil).visit(t.Context(), "/"); seen.chain[0].Equal(certificate) {
		t.Error("another certificate is taken for ours")
	}
	through := visitor{address: secured, host: testHost}.visit(t.Context(), "/")
	if fingerprint(through.chain[0]) != through.echo.Certificate || through.echo.Scheme != "https" {
		t.Errorf("the pod's own certificate is not recognised: %+v", through)
	}
	if opened := proxyTo(t, backend, nil, nil, nil).visit(t.Context(), "/"); fingerprint(opened.chain[0]) == opened.echo.Certificate {
		t.Error("a proxy's certificate is taken for the pod's")
	}
}

func TestPublishedAddress(t *testing.T) {
	a := answers.Ingress{VIP: "127.0.0.1", OtherAddresses: []string{"2001:db8::20"}}
	for _, fine := range [][]string{{"127.0.0.1"}, {"10.0.0.1", "127.0.0.1"}, {"localhost"}, {"2001:db8:0::20"}} {
		if f := judgePublished(t.Context(), fine, a); f != nil {
			t.Errorf("%v: %v", fine, f)
		}
	}
	if f := judgePublished(t.Context(), []string{"10.0.0.1"}, a); f == nil || f.Undecided || !strings.Contains(f.Found, "10.0.0.1") {
		t.Errorf("%v", f)
	}
}

func TestIngressClassIsLookedUp(t *testing.T) {
	client := fake.NewClientset(&networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "traefik"}, Spec: networkingv1.IngressClassSpec{Controller: traefikController}})
	if class, err := findIngressClass(t.Context(), client, "traefik"); err != nil || class.Spec.Controller != traefikController {
		t.Errorf("%v %v", class, err)
	}
	_, err := findIngressClass(t.Context(), client, "nginx")
	if f := finding.As(err); f == nil || f.Undecided || !strings.Contains(f.Found, "traefik (traefik.io/ingress-controller)") {
		t.Errorf("%v", err)
	}
}

func TestNobodyElseActsOnAThrowawayHost(t *testing.T) {
	const nginx = "nginx.ingress.kubernetes.io/"
	passedOn := []string{nginx + "proxy-body-size", nginx + "proxy-read-timeout", nginx + "proxy-buffering", nginx + "proxy-buffers-number", nginx + "backend-protocol",
		"nginx.org/client-max-body-size", "nginx.org/websocket-services", "haproxy.org/timeout-tunnel", "haproxy.router.openshift.io/timeout",
		entryPointsKey, "traefik.ingress.kubernetes.io/router.tls"}
	left := []string{nginx + "server-alias", nginx + "from-to-www-redirect", nginx + "server-snippet", nginx + "configuration-snippet", nginx + "canary",
		nginx + "ssl-passthrough", nginx + "auth-url", nginx + "permanent-redirect", "nginx.org/location-snippets",
		"traefik.ingress.kubernetes.io/router.tls.certresolver", "traefik.ingress.kubernetes.io/router.middlewares",
		"dns.gardener.cloud/dnsnames", "cert.gardener.cloud/purpose", "alb.ingress.kubernetes.io/scheme", "alb.ingress.kubernetes.io/group.name",
		"kubernetes.io/ingress.global-static-ip-name", "kubernetes.io/ingress.class", "kubernetes.io/tls-acme",
		"cert-manager.io/cluster-issuer", "acme.cert-manager.io/http01-edit-in-place",
		"external-dns.alpha.kubernetes.io/hostname", "external-dns.alpha.kubernetes.io/controller", "timeout-client"}
	answered := map[string]string{}
	for _, key := range append(slices.Clone(passedOn), left...) {
		answered[key] = "x"
	}
	answered[nginx+backendProtocol] = "HTTP"
	kept, leftOut := ownAnnotations(answered, "x")
	for _, key := range passedOn {
		if kept[key] == "" || kept[key] != answered[key] {
			t.Errorf("%s is not passed on", key)
		}
	}
	slices.Sort(left)
	if !slices.Equal(leftOut, left) || len(kept) != len(passedOn)+1 || kept["external-dns.alpha.kubernetes.io/controller"] == "x" {
		t.Errorf("kept %v, left out %v", kept, leftOut)
	}
	if kept, leftOut := ownAnnotations(nil, "x"); len(kept) != 1 || len(leftOut) > 0 {
		t.Errorf("external-dns is not kept off: %v, %v", kept, leftOut)
	}
}

func TestPassthroughIsKnown(t *testing.T) {
	for controller, want := range map[string]string{
		communityNGINX:                            "nginx.ingress.kubernetes.io/ssl-passthrough=true",
		"k8s.io/internal-ingress-nginx":           "nginx.ingress.kubernetes.io/ssl-passthrough=true",
		"haproxy-ingress.github.io/controller":    "haproxy-ingress.github.io/ssl-passthrough=true",
		"haproxy.org/ingress-controller":          "haproxy.org/ssl-passthrough=true",
		"haproxy.org/ingress-controller/internal": "haproxy.org/ssl-passthrough=true",
		"openshift.io/ingress-to-route":           "route.openshift.io/termination=passthrough",
	} {
		if key, value, known := passthrough(controller); !known || key+"="+value != want {
			t.Errorf("%s: %s=%s, %t", controller, key, value, known)
		}
	}
}

// TestPassthroughUnknown: of a controller that reads another annotation, nothing is made and
// nothing said.
func TestPassthroughUnknown(t *testing.T) {
	for _, controller := range []string{"nginx.org/ingress-controller", "ingress-controllers.konghq.com/kong", "ingress.k8s.aws/alb", ""} {
		e := &entrance{class: &networkingv1.IngressClass{Spec: networkingv1.IngressClassSpec{Controller: controller}}}
		expectFinding(t, e.routeUnopened(t.Context(), testHost, answers.Ingress{}), "undecided", "does not know how controller "+controller+" is told to pass TLS through")
	}
}

func TestRefusedRoute(t *testing.T) {
	status := func(conditions ...any) map[string]any {
		return map[string]any{"status": map[string]any{"parents": []any{map[string]any{"conditions": conditions}}}}
	}
	condition := func(kind, status string) any {
		return map[string]any{"type": kind, "status": status, "reason": "NotAllowedByListeners", "message": "namespace"}
	}
	if reasons, settled := routeRefusal(map[string]any{}); settled || len(reasons) > 0 {
		t.Error(reasons, settled)
	}
	if reasons, settled := routeRefusal(status(condition("Accepted", "True"), condition("ResolvedRefs", "True"))); !settled || len(reasons) > 0 {
		t.Error(reasons, settled)
	}
	if reasons, settled := routeRefusal(status(condition("Accepted", "False"))); !settled || len(reasons) != 1 || !strings.Contains(reasons[0].words, "NotAllowedByListeners") {
		t.Error(reasons, settled)
	}
}

// toldRoute is a route of which its Gateway says one thing after another.
type toldRoute []map[string]any

func (toldRoute) Name() string { return "route" }

func (r toldRoute) Until(_ context.Context, reached func(map[string]any) bool) (map[string]any, bool, error) {
	for _, content := range r {
		if reached(content) {
			return content, true, nil
		}
	}
	return r[len(r)-1], false, nil
}

func TestLastWordOfAGateway(t *testing.T) {
	says := func(accepted, resolved string) map[string]any {
		return map[string]any{"status": map[string]any{"parents": []any{map[string]any{"conditions": []any{
			map[string]any{"type": "Accepted", "status": accepted, "reason": "NotAllowedByListeners", "message": "namespace"},
			map[string]any{"type": "ResolvedRefs", "status": resolved, "reason": "BackendNotFound", "message": "service"},
		}}}}}
	}
	gateway := answers.Gateway{Namespace: "ingress", Name: "public"}
	for name, c := range map[string]struct {
		route toldRoute
		want  string
		words []string
	}{
		"taken":                   {toldRoute{{}, says("True", "True")}, "", nil},
		"refused, then taken":     {toldRoute{says("False", "True"), says("True", "True")}, "", nil},
		"Service seen late":       {toldRoute{says("True", "False"), says("True", "True")}, "", nil},
		"not known, then refused": {toldRoute{says("Unknown", "True"), says("False", "True")}, "failed", []string{"Accepted is False", "allowedRoutes"}},
		"Service never seen":      {toldRoute{{}, says("True", "False")}, "failed", []string{"BackendNotFound"}},
		"nothing said":            {toldRoute{{}}, "failed", []string{"nobody has said anything", "ingress.gateway"}},
	} {
		t.Run(name, func(t *testing.T) {
			expectFinding(t, takenBy(t.Context(), c.route, gateway), c.want, c.words...)
		})
	}
}
