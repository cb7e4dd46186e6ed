package network

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// backendTime bounds the way of the backend's pod to being ready.
	backendTime = 75 * time.Second
	// publishTime is how long an ingress controller may take to publish the address of an
	// Ingress: ingress-nginx looks once a minute.
	publishTime = 70 * time.Second
	// backendRole marks the pod behind the route.
	backendRole = "backend"
	// The ports of the backend's Service.
	servicePort, serviceTLSPort = 80, 443
)

// ingressPatience is how long to wait for the ingress controller: seconds for one in the cluster, and
// no connection at all is given up sooner.
var ingressPatience = patience{served: 30 * time.Second, reached: 15 * time.Second}

// entrance is a throwaway pod behind the ingress controller, under a host of its own below the
// answered domain. Each stage has its own error, and an item looks at those that concern it.
type entrance struct {
	visitor
	kit   *throwaway.Kit
	token string
	// class is nil where a Gateway takes its place.
	class *networkingv1.IngressClass
	// certificate is what the Ingress's TLS Secret holds; nil with a Gateway.
	certificate *x509.Certificate
	// service is the backend's.
	service string
	ingress *throwaway.Ingress
	// leftOut are the answered annotations that the Ingress does not carry.
	leftOut []string
	// missing is why there is no route to the backend, and unserved why nobody answers there.
	missing, unserved error
	first             visit
	// published delivers what the ingress controller wrote into the Ingress's status.
	published <-chan statusAddresses
}

// statusAddresses are those of an Ingress's status.
type statusAddresses struct {
	all []string
	err error
}

// hostUnder returns a throwaway host name under the domain. It is in no DNS: whoever asks for
// it knows the load balancer's address.
func hostUnder(domain string) string { return "conformance-" + utilrand.String(8) + "." + domain }

// openEntrance makes the backend and the route to it, and waits until it is answered there. An error
// is one of the pod: nothing behind the load balancer could be tried.
func openEntrance(ctx context.Context, kit *throwaway.Kit, a answers.Ingress, domain string) (*entrance, error) {
	e := &entrance{
		visitor: visitor{address: net.JoinHostPort(a.VIP, "443"), host: hostUnder(domain), agent: check.UserAgent(),
			fronted: a.TLSTermination == answers.AtLoadBalancer},
		kit: kit, token: utilrand.String(16),
	}
	if a.Gateway.Name == "" {
		if e.class, e.missing = findIngressClass(ctx, kit.Client().Kube, a.ClassName); e.missing != nil {
			return e, nil
		}
	}
	pod, err := e.backend(ctx)
	if err != nil {
		return nil, finding.Undecide(kubeerr.FromAPI(err, "a throwaway pod to be reached through the ingress"))
	}
	if e.missing = e.route(ctx, a); e.missing != nil {
		return e, nil
	}
	if e.ingress != nil {
		e.published = e.readStatus(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, backendTime)
	defer cancel()
	if err := pod.Ready(ctx); err != nil {
		return nil, finding.Undecide(kubeerr.FromAPI(err, "a throwaway pod to be reached through the ingress"))
	}
	check.Step("ask %s for https://%s", e.address, e.host)
	if e.first, e.unserved = e.reach(ctx, e.token, ingressPatience); e.unserved != nil {
		e.addCluster(ctx)
	}
	return e, nil
}

// backend starts the pod and the Service before it.
func (e *entrance) backend(ctx context.Context) (*throwaway.Pod, error) {
	serve := probe.ServeOptions{Token: e.token, Port: probe.ServePort, TLSPort: probe.ServeTLSPort, TLSName: e.host}
	pod, err := e.kit.Pod(ctx, throwaway.PodOptions{Name: backendRole, Args: serve.Args(), ReadyPort: probe.ServePort,
		Labels: map[string]string{throwaway.LabelRole: backendRole}})
	if err != nil {
		return nil, err
	}
	// As the chart does for its proxy: a namespace that denies by default lets nobody in else.
	if _, err := e.kit.NetworkPolicy(ctx, throwaway.PolicyOptions{Name: "open", Role: backendRole, Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}); err != nil {
		return nil, err
	}
	e.service, err = e.kit.Service(ctx, backendRole, backendRole, map[string]throwaway.Port{
		"http":  {Service: servicePort, Pod: probe.ServePort},
		"https": {Service: serviceTLSPort, Pod: probe.ServeTLSPort},
	})
	return pod, err
}

// route leads the host to the Service, by an Ingress with a certificate of its own or, where a
// Gateway is answered, by an HTTPRoute.
func (e *entrance) route(ctx context.Context, a answers.Ingress) error {
	if e.class == nil {
		route, err := e.kit.Object(ctx, throwaway.HTTPRoutes, "route", httpRoute(a.Gateway, e.host, e.service))
		if err != nil {
			return ofThrowaway(err)
		}
		return takenBy(ctx, route, a.Gateway)
	}
	certificate, secret, err := selfSigned(e.host, time.Now())
	if err != nil {
		return err
	}
	name, err := e.kit.Secret(ctx, "tls", corev1.SecretTypeTLS, secret)
	if err != nil {
		return err
	}
	e.certificate = certificate
	kept, leftOut := ownAnnotations(a.Annotations, e.service)
	e.leftOut, e.doubt = leftOut, leftOutDoubt(leftOut)
	e.ingress, err = e.kit.Ingress(ctx, throwaway.IngressOptions{Class: a.ClassName, Host: e.host, Service: e.service,
		Port: backendPort(e.class.Spec.Controller, kept), TLSSecret: name, Annotations: kept})
	return ofThrowaway(err)
}

// ofThrowaway tells a refusal of the throwaway route that may not be one of JupyterHub's: a policy
// may go by registered host names. That decides nothing. Whether the refusal names the host does not
// tell: policies seldom do, and controllers do in what they say of a path that is taken.
func ofThrowaway(err error) error {
	if reason := kubeerr.ReasonOf(err); reason != kubeerr.Webhook && reason != kubeerr.Policy || fromController(err) {
		return err
	}
	f := kubeerr.FromAPI(err, "a throwaway route to a pod")
	return finding.NotDecided(f.Expected, f.Found, f.Why+", which is for a throwaway host: it may admit registered hosts only",
		"see whether it would admit JupyterHub's own host; to have it measured, "+f.Do).Because(err)
}

// controllerWebhook is the name of a webhook by which an ingress controller (ingress-nginx, AWS's,
// Kong) tries the routes that it is to serve, in the API server's sentence.
var controllerWebhook = regexp.MustCompile(`admission webhook "[^"]*(?:\.ingress\.kubernetes\.io|\.elbv2\.k8s\.aws|\.konghq\.com)" denied`)

// fromController says that an ingress controller refuses the route. It goes by what it can serve,
// such as the values of annotations, and so would refuse JupyterHub's as well.
func fromController(err error) bool { return controllerWebhook.MatchString(err.Error()) }

// acceptTime is how long a Gateway may take to say whether it takes a route.
const acceptTime = 30 * time.Second

// followedRoute is a route whose status is waited for.
type followedRoute interface {
	Name() string
	Until(ctx context.Context, reached func(content map[string]any) bool) (map[string]any, bool, error)
}

// takenBy waits until the Gateway has taken the route. A refusal is not its last word, since some
// controllers write one until they have seen the Service or the namespace: what is said when the
// time is over counts.
func takenBy(ctx context.Context, route followedRoute, gateway answers.Gateway) error {
	within, cancel := context.WithTimeout(ctx, acceptTime)
	defer cancel()
	content, _, err := route.Until(within, func(content map[string]any) bool {
		reasons, settled := routeRefusal(content)
		return settled && len(reasons) == 0
	})
	if err != nil {
		return err
	}
	expected := "Gateway " + gateway.Namespace + "/" + gateway.Name + " takes a route of this namespace"
	reasons, settled := routeRefusal(content)
	if len(reasons) > 0 {
		return notTaken(expected, reasons)
	}
	if !settled {
		return finding.Failed(expected, "nobody has said anything about HTTPRoute "+route.Name()+" in "+acceptTime.String(),
			"there is no such Gateway, or its controller does not run", "correct ingress.gateway, or see the Gateway's status")
	}
	return nil
}

// noMatchingHostname is the Gateway API's reason where no listener is for a route's host.
const noMatchingHostname = "NoMatchingListenerHostname"

// notTaken says why a Gateway does not take the route. Where it is for the host alone, that says
// nothing of JupyterHub's, for which a listener may be.
func notTaken(expected string, reasons []objection) *finding.Finding {
	hostAlone := true
	var words []string
	for _, one := range reasons {
		hostAlone = hostAlone && one.reason == noMatchingHostname
		words = append(words, one.words)
	}
	found := strings.Join(words, "; ")
	if hostAlone {
		return finding.NotDecided(expected, found, "no listener's hostname fits the throwaway host: JupyterHub's own name (dns.domain) may be the only one that is let in",
			"see by hand that a listener's hostname fits dns.domain; to have the way measured, give the Gateway a listener for the names below it (*.dns.domain) as well")
	}
	return finding.Failed(expected, found, "the Gateway's listener does not admit routes of this namespace or host",
		"allow the namespace and the domain in the listener's allowedRoutes and hostname")
}

// readStatus reads the Ingress's status aside, since some controllers take a minute to write it.
func (e *entrance) readStatus(ctx context.Context) <-chan statusAddresses {
	delivered := make(chan statusAddresses, 1)
	ctx, cancel := beyond(ctx, publishTime)
	go func() {
		defer cancel()
		all, err := e.ingress.Addresses(ctx)
		delivered <- statusAddresses{all, err}
	}()
	return delivered
}

// addCluster adds what the cluster knows of the way to the pod to the finding that nobody serves it.
func (e *entrance) addCluster(ctx context.Context) {
	f := finding.As(e.unserved)
	if f == nil {
		return
	}
	explainEndpoints(ctx, e.kit.Client().Kube, e.kit.Namespace(), e.service, e.first.err == nil, f)
	if e.ingress == nil {
		return
	}
	if said := e.ingress.Events(ctx, 2); len(said) > 0 {
		f.Found += "; events of the Ingress: " + strings.Join(said, "; ")
	}
}

// selfSigned makes a key and a certificate for the host, and the data of their TLS Secret.
func selfSigned(host string, now time.Time) (*x509.Certificate, map[string][]byte, error) {
	pair, err := probe.SelfSigned("conformance throwaway Ingress", host, now)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(pair.Certificate[0])
	return certificate, map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, err
}
