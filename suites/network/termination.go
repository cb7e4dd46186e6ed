package network

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/throwaway"
)

// termination is what was seen of where TLS ends.
type termination struct {
	answered answers.TLSTermination
	// own tells whether the certificate of the throwaway Ingress's Secret is served: only the
	// ingress controller can read it.
	own bool
	// shown describes the certificate that is served.
	shown string
	// proto is what the pod was told that the user came by, "" for nothing.
	proto string
}

// proveTermination measures where TLS ends and compares it with the answer.
func proveTermination(ctx context.Context, e *entrance, a answers.Ingress) {
	if a.TLSTermination == answers.EndToEnd {
		check.NoError(e.proveEndToEnd(ctx, a), "speak TLS with the pod itself")
		return
	}
	if e.certificate == nil {
		proveGateway(ctx, e, a)
		return
	}
	leaf := e.first.chain[0]
	seen := termination{answered: a.TLSTermination, own: leaf.Equal(e.certificate), shown: certificateLine(leaf), proto: e.first.echo.Headers.Get("X-Forwarded-Proto")}
	check.Evidence("certificate served", seen.shown)
	check.Evidence("certificate of the throwaway Ingress served", seen.own)
	check.Evidence("headers at the pod", forwarded(e.first.echo.Headers))
	if f := judgeTermination(seen); f != nil {
		check.NoError(f, "")
	}
	if e.first.echo.Headers.Get("X-Forwarded-For") == "" && e.first.echo.Headers.Get("Forwarded") == "" {
		check.Warn("the pod is not told who asks: no X-Forwarded-For", "whoever ends TLS does not add it", "switch it on, or JupyterHub's log shows the proxy for each user")
	}
}

// proveGateway goes by the Gateway's listener: its certificate belongs to its own namespace, so
// that no throwaway one can be served to see who reads it.
func proveGateway(ctx context.Context, e *entrance, a answers.Ingress) {
	name := a.Gateway.Namespace + "/" + a.Gateway.Name
	gateway, err := e.kit.Client().Dynamic.Resource(gateways).Namespace(a.Gateway.Namespace).Get(ctx, a.Gateway.Name, metav1.GetOptions{})
	check.NoError(err, "read Gateway "+name)
	protocols := listenerProtocols(gateway.Object, a.Gateway.Listener)
	check.Evidence("certificate served", certificateLine(e.first.chain[0]))
	check.Evidence("protocols of the Gateway's listeners", protocols)
	check.Evidence("headers at the pod", forwarded(e.first.echo.Headers))
	f := judgeGateway(name, protocols, a.TLSTermination)
	if f == nil {
		f = judgeForwarded(e.first.echo.Headers.Get("X-Forwarded-Proto"))
	}
	if f != nil {
		check.NoError(f, "")
	}
	if a.TLSTermination == answers.AtIngressController {
		check.Warn("that TLS ends at the Gateway was read in its listener, and not measured", "a proxy in front that encrypts anew looks the same",
			"see that the certificate served is the one in the listener's certificateRefs")
	}
}

// listenerProtocols returns the protocols of a Gateway's listeners, or of the one of that name.
func listenerProtocols(gateway map[string]any, listener string) (protocols []string) {
	spec, _ := gateway["spec"].(map[string]any)
	listeners, _ := spec["listeners"].([]any)
	for _, l := range listeners {
		one, _ := l.(map[string]any)
		if protocol, is := one["protocol"].(string); is && (listener == "" || one["name"] == listener) {
			protocols = append(protocols, protocol)
		}
	}
	return protocols
}

// judgeGateway holds the listeners of a Gateway behind an address that speaks TLS against the
// answer.
func judgeGateway(name string, protocols []string, answered answers.TLSTermination) *finding.Finding {
	expected := "TLS ends at the " + placeOf(answered) + " (ingress.tlsTermination)"
	ends := slices.Contains(protocols, "HTTPS")
	switch {
	case answered == answers.AtIngressController && !ends:
		return finding.Failed(expected, fmt.Sprintf("Gateway %s has no listener for HTTPS (%s), and its address speaks TLS", name, strings.Join(protocols, ", ")),
			"a proxy in front of the Gateway ends TLS", "correct the answer to load-balancer, or give the Gateway a listener for HTTPS with JupyterHub's certificate")
	case answered == answers.AtLoadBalancer && ends:
		return finding.NotDecided(expected, "Gateway "+name+" has a listener for HTTPS, which may be what ends TLS",
			"a load balancer that ends TLS and encrypts anew looks the same from outside", "compare the certificate served with that of the listener's certificateRefs; correct the answer if they are one")
	}
	return nil
}

// judgeTermination holds what was seen against the answer.
func judgeTermination(seen termination) *finding.Finding {
	expected := "TLS ends at the " + placeOf(seen.answered) + " (ingress.tlsTermination)"
	switch {
	case seen.answered == answers.AtIngressController && !seen.own:
		return finding.Failed(expected, "the load balancer's address serves another certificate than that of the throwaway Ingress's Secret: "+seen.shown,
			"something in front of the ingress controller ends TLS and opens a connection of its own, or the controller does not read the Ingress's TLS Secret",
			"correct the answer to load-balancer if a proxy in front is meant to end TLS, and give it JupyterHub's certificate; else see why the controller ignores spec.tls of an Ingress")
	case seen.answered == answers.AtLoadBalancer && seen.own:
		return finding.Failed(expected, "the certificate of the throwaway Ingress's Secret is served, which only the ingress controller can read",
			"the load balancer hands TLS on unopened",
			"correct the answer to ingress-controller, and give JupyterHub's certificate to its Ingress; or have the load balancer end TLS")
	}
	return judgeForwarded(seen.proto)
}

// judgeForwarded finds that the pod is not told that the user came by https.
func judgeForwarded(proto string) *finding.Finding {
	if proto == "https" {
		return nil
	}
	found := "the pod is told nothing of it: no X-Forwarded-Proto"
	if proto != "" {
		found = "the pod is told X-Forwarded-Proto: " + proto
	}
	return finding.Failed("who ends TLS tells the pod that the user came by https", found,
		"the header is not set, or a later proxy that does not trust it writes its own: JupyterHub then sends http:// redirect URIs, which Entra ID refuses",
		"have X-Forwarded-Proto: https set where TLS ends, and trusted by the ingress controller behind (its list of trusted proxies)")
}

func placeOf(t answers.TLSTermination) string {
	switch t {
	case answers.AtLoadBalancer:
		return "load balancer"
	case answers.AtIngressController:
		return "ingress controller"
	}
	return "pods"
}

// endToEndPatience is how long a second route may take.
var endToEndPatience = patience{served: 30 * time.Second, reached: 10 * time.Second}

// proveEndToEnd leads a second host to the pod by a route that hands TLS on, and looks for the
// certificate that the pod made for itself.
func (e *entrance) proveEndToEnd(ctx context.Context, a answers.Ingress) error {
	const expected = "TLS ends in the pods (ingress.tlsTermination): the pod's own certificate is served"
	through := e.visitor
	through.host = "e2e-" + e.host
	if err := e.routeUnopened(ctx, through.host, a); err != nil {
		return err
	}
	through.doubt = nil // of the Ingress, which is served
	if e.class.Spec.Controller == traefikController {
		through.doubt = entryPointsDoubt(entryPoints(a.Annotations))
	}
	last, err := through.reach(ctx, e.token, endToEndPatience)
	if err != nil {
		return err
	}
	check.Evidence("certificate served", certificateLine(last.chain[0]))
	check.Evidence("scheme at the pod", last.echo.Scheme)
	if fingerprint(last.chain[0]) == last.echo.Certificate && last.echo.Scheme == "https" {
		return nil
	}
	return finding.Failed(expected, fmt.Sprintf("another one is served (%s), and the pod is asked by %s", certificateLine(last.chain[0]), last.echo.Scheme),
		"the ingress controller, or a proxy in front, opens TLS although the route asks to hand it on: passthrough is switched off in the controller (ingress-nginx: --enable-ssl-passthrough)",
		"switch it on, or correct the answer to where TLS ends")
}

// routeUnopened makes the route for TLS that nobody opens on the way.
func (e *entrance) routeUnopened(ctx context.Context, host string, a answers.Ingress) error {
	if e.class == nil {
		return finding.NotDecided("a route that hands TLS on to the pod", "this was not measured for a Gateway", "it takes a listener of mode Passthrough and a TLSRoute, whose API is not the same everywhere",
			"see the listeners of Gateway "+a.Gateway.Namespace+"/"+a.Gateway.Name)
	}
	if e.class.Spec.Controller == traefikController {
		_, err := e.kit.Object(ctx, throwaway.IngressRouteTCPs, "unopened", ingressRouteTCP(host, e.service, entryPoints(a.Annotations)))
		if kubeerr.ReasonOf(err) == kubeerr.NotServed || kubeerr.ReasonOf(err) == kubeerr.NotFound {
			return finding.NotDecided("a route that hands TLS on to the pod", "the cluster does not know Traefik's IngressRouteTCP",
				"Traefik hands TLS on by that kind of route only, and its CustomResourceDefinitions are not installed", "install Traefik's CRDs and its kubernetesCRD provider, or correct ingress.tlsTermination").Because(err)
		}
		return err
	}
	options, known := unopenedIngress(e.class.Spec.Controller, host, e.service, a)
	if !known {
		return finding.NotDecided("a route that hands TLS on to the pod", "this was not measured for controller "+e.class.Spec.Controller,
			"this suite does not know how controller "+e.class.Spec.Controller+" is told to pass TLS through", "see the controller's own documentation, and the certificate that JupyterHub's address shows")
	}
	_, err := e.kit.Ingress(ctx, options)
	return err
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
