package answers

// DNS is section 2.1.
type DNS struct {
	// Name under which users reach JupyterHub.
	Domain string `yaml:"domain" form:"dnsname" example:"jupyterhub.aiv.internal"`
	// The company's DNS servers that must know the name, as address or address:port.
	Servers []string `yaml:"servers" form:"dnsserver" example:"10.0.0.53"`
	// Whom to call about DNS.
	Contact Contact `yaml:"contact"`
}

// Ingress is section 2.2.
type Ingress struct {
	// Address of the load balancer, as users reach it.
	VIP string `yaml:"vip" form:"ip" example:"10.0.10.20"`
	// Further addresses of the same load balancer that JupyterHub's name may resolve to, such as its IPv6 one.
	OtherAddresses []string `yaml:"otherAddresses" form:"ip" example:"2001:db8:10::20"`
	// The ingress controller.
	Controller IngressController `yaml:"controller" example:"nginx"`
	// The IngressClass's spec.controller where the controller is another one.
	ControllerName string `yaml:"controllerName" example:"haproxy.org/ingress-controller"`
	// Name of the IngressClass.
	ClassName string `yaml:"className" form:"dnsname" example:"nginx"`
	// Gateway of the Gateway API through which JupyterHub is reached, where that takes the place of an IngressClass.
	Gateway Gateway `yaml:"gateway"`
	// Annotations that JupyterHub's Ingress will carry, such as a larger limit for request bodies. The suite's own carries those of limits, time-outs, buffering, protocols, forwarded headers and Traefik's entry points (router.entrypoints, and router.tls beside it) too, and no others.
	Annotations map[string]string `yaml:"annotations" example:"nginx.ingress.kubernetes.io/proxy-body-size=100m"`
	// How long a WebSocket on which nothing is sent must be kept; 120s if left out.
	WebSocketIdle Duration `yaml:"websocketIdle" example:"120s"`
	// Where TLS ends.
	TLSTermination TLSTermination `yaml:"tlsTermination" example:"ingress-controller"`
	// Does port 80 redirect to 443?
	RedirectHTTP *bool `yaml:"redirectHttp" example:"true"`
	// Whom to call about the load balancer and ingress.
	Contact Contact `yaml:"contact"`
}

// Gateway is a Gateway of the Gateway API.
type Gateway struct {
	// Namespace of the Gateway.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"ingress"`
	// Name of the Gateway.
	Name string `yaml:"name" form:"dnsname" example:"public"`
	// The Gateway's listener for HTTPS; any listener that takes the route if left out.
	Listener string `yaml:"listener" form:"dnsname" example:"https"`
}

// IngressController names an ingress controller.
type IngressController string

// The choices of item 2.2.2.
const (
	NGINX        IngressController = "nginx"
	Traefik      IngressController = "traefik"
	OtherIngress IngressController = "other"
)

// Enum lists the choices.
func (IngressController) Enum() []string { return []string{"nginx", "traefik", "other"} }

// TLSTermination says where TLS ends.
type TLSTermination string

// The choices of item 2.2.4.
const (
	AtLoadBalancer      TLSTermination = "load-balancer"
	AtIngressController TLSTermination = "ingress-controller"
	EndToEnd            TLSTermination = "end-to-end"
)

// Enum lists the choices.
func (TLSTermination) Enum() []string {
	return []string{"load-balancer", "ingress-controller", "end-to-end"}
}

// NetworkPolicies is section 2.3.
type NetworkPolicies struct {
	// Are network policies required?
	Required *bool `yaml:"required" example:"true"`
	// Labels of the hub's pod, by which policies select it. What is left out is as in the chart zero-to-jupyterhub with the release name jupyterhub.
	HubLabels map[string]string `yaml:"hubLabels" example:"release=jupyterhub"`
	// What pods of the namespace may and may not reach.
	Egress Egress `yaml:"egress"`
	// Who vouches that the egress restrictions are documented.
	EgressDocumented Attestation `yaml:"egressDocumented"`
	// What may and may not reach the hub.
	Inward Inward `yaml:"ingress"`
	// Who vouches that the ingress restrictions are documented.
	InwardDocumented Attestation `yaml:"ingressDocumented"`
	// Destinations that the firewall opens for JupyterHub, beyond GitLab and the registry, which are answered in 7.1 and 5.1.
	Firewall Firewall `yaml:"firewall"`
	// Whom to call about network policies and the firewall.
	Contact Contact `yaml:"contact"`
}

// Egress lists destinations of pods.
type Egress struct {
	// Destinations that must be reached, as URL or host:port. An empty list says that there are none.
	Allowed []string `yaml:"allowed" form:"target" example:"https://login.microsoftonline.com"`
	// Destinations that must be refused, as URL or host:port. An empty list says that there are none.
	Forbidden []string `yaml:"forbidden" form:"target" example:"https://example.com"`
}

// Inward lists sources of connections to the hub.
type Inward struct {
	// Pods that must reach the hub. An empty list says that there are none.
	Allowed []Source `yaml:"allowed"`
	// Pods that must not reach the hub. An empty list says that there are none.
	Forbidden []Source `yaml:"forbidden"`
}

// Source is a pod of the namespace that wants to reach a pod of JupyterHub.
type Source struct {
	// Labels of the pod that connects.
	Labels map[string]string `yaml:"labels" example:"hub.jupyter.org/network-access-hub=true"`
	// Port of the hub that it connects to; 8081 if left out.
	Port *int `yaml:"port" example:"8081"`
}

// Firewall lists destinations outside the cluster.
type Firewall struct {
	// Entra ID's and Graph's endpoints, as URL or host:port.
	Identity []string `yaml:"identity" form:"target" example:"https://login.microsoftonline.com"`
	// Ceph monitors and S3 endpoints, as URL or host:port.
	Storage []string `yaml:"storage" form:"target" example:"ceph-mon1.aiv.internal:6789"`
}

// Certificates is section 3.1.
type Certificates struct {
	// File with the corporate CA certificate, PEM. All services of the company are verified with it, and with the system's own.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Format in which the certificate was provided.
	Format CertificateFormat `yaml:"format" example:"pem"`
	// File with the server certificate and its chain; for pfx with the private key too.
	Bundle string `yaml:"bundle" form:"path" example:"jupyterhub.pem"`
	// Password of a pfx file.
	PFXPassword Secret `yaml:"pfxPassword"`
	// Private key of the server certificate, PEM; for pfx it is in the bundle.
	PrivateKey Secret `yaml:"privateKey"`
	// Password of the private key, where it is protected by one.
	PrivateKeyPassword Secret `yaml:"privateKeyPassword"`
	// Common name (CN).
	CommonName string `yaml:"commonName" example:"jupyterhub.aiv.internal"`
	// Subject alternative names (SANs).
	SubjectAltNames []string `yaml:"subjectAltNames" example:"jupyterhub.aiv.internal"`
	// Issuer, as its common name or as its full distinguished name.
	Issuer string `yaml:"issuer" example:"AIV Issuing CA 1"`
	// First day of the validity period.
	ValidFrom Date `yaml:"validFrom" example:"2026-01-01"`
	// Last day of the validity period.
	ValidUntil Date `yaml:"validUntil" example:"2027-12-31"`
	// The renewal process: who vouches for it, and when it runs next.
	Renewal Renewal `yaml:"renewal"`
	// Whom to call about certificates.
	Contact Contact `yaml:"contact"`
}

// Renewal is the renewal of a certificate.
type Renewal struct {
	Attestation `yaml:",inline"`
	// When certificates are renewed, in words.
	Schedule string `yaml:"schedule" example:"yearly, in November"`
	// Day of the next renewal; it lies before the certificate expires.
	Next Date `yaml:"next" example:"2027-11-15"`
}

// CertificateFormat is the format of a certificate file.
type CertificateFormat string

// The choices of item 3.1.2.
const (
	PEM               CertificateFormat = "pem"
	PFX               CertificateFormat = "pfx"
	OtherCertificates CertificateFormat = "other"
)

// Enum lists the choices.
func (CertificateFormat) Enum() []string { return []string{"pem", "pfx", "other"} }
