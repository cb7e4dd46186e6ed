package answers

import "net/http"

// Custom is a check of the customer's own. It holds exactly one of object, http, target and image.
type Custom struct {
	// Short name, which with N.2. before it is the item's ID: small letters, digits and hyphens, 59 characters at most.
	ID string `yaml:"id" form:"slug" example:"proxy-answers" jsonschema:"required"`
	// What the check proves, in one line.
	Title string `yaml:"title" example:"The proxy answers" jsonschema:"required"`
	// Must it be met before deployment? Yes if left out.
	Required *bool `yaml:"required" example:"true"`
	// A Kubernetes object and what must hold for it.
	Object *ObjectCheck `yaml:"object"`
	// An HTTP request and the answer that it must get.
	HTTP *HTTPCheck `yaml:"http"`
	// A name or an address that must be reached, or must not.
	Target *TargetCheck `yaml:"target"`
	// A program in an image whose exit code decides.
	Image *ImageCheck `yaml:"image"`
	// Whom to call when it fails.
	Contact Contact `yaml:"contact"`
}

// ItemID is the ID of the check in the catalogue.
func (c Custom) ItemID() string { return "N.2." + c.ID }

// IsRequired reports whether the check must be met before deployment.
func (c Custom) IsRequired() bool { return c.Required == nil || *c.Required }

// ObjectCheck reads Kubernetes objects and evaluates an expression for each.
type ObjectCheck struct {
	// API version, such as v1 or apps/v1.
	APIVersion string `yaml:"apiVersion" example:"v1" jsonschema:"required"`
	// Kind of the object.
	Kind string `yaml:"kind" example:"ConfigMap" jsonschema:"required"`
	// Namespace of the object; JupyterHub's if left out, none for objects of the cluster.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"jupyterhub-prod"`
	// Name of the object; or else a label selector.
	Name string `yaml:"name" example:"company-settings"`
	// Labels that select objects, of which there must be at least one.
	LabelSelector string `yaml:"labelSelector" form:"selector" example:"app=company-settings"`
	// CEL expression that must be true for every object, which it calls object.
	Expect string `yaml:"expect" example:"has(object.data.region)" jsonschema:"required"`
}

// HTTPCheck asks a server.
type HTTPCheck struct {
	// Address to ask.
	URL string `yaml:"url" form:"url" example:"https://intranet.aiv.internal/health" jsonschema:"required"`
	// HTTP method; GET if left out.
	Method Method `yaml:"method" example:"GET"`
	// Headers of the request; a secret one is a reference.
	Headers map[string]Value `yaml:"headers" example:"Accept=application/json"`
	// Expected HTTP status; 200 if left out.
	ExpectStatus *int `yaml:"expectStatus" example:"200"`
	// Regular expression that the body must match.
	ExpectBody string `yaml:"expectBody" form:"regexp" example:"\"status\":\\s*\"ok\""`
	// CEL expression that must be true for the JSON answer, which it calls body.
	Expect string `yaml:"expect" example:"body.status == 'ok'"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Where the request comes from; the runner if left out.
	From Origin `yaml:"from" example:"pod"`
	// User name for basic authentication.
	Username string `yaml:"username" example:"svc-jupyterhub"`
	// Password for basic authentication.
	Password Secret `yaml:"password"`
	// Bearer token.
	Bearer Secret `yaml:"bearer"`
}

// Method is a method of HTTP. Only those are allowed that change nothing.
type Method string

// Enum lists the choices.
func (Method) Enum() []string { return []string{http.MethodGet, http.MethodHead, http.MethodOptions} }

// Origin is where a connection comes from.
type Origin string

// The origins of a connection.
const (
	FromRunner Origin = "runner"
	FromPod    Origin = "pod"
)

// Enum lists the choices.
func (Origin) Enum() []string { return []string{"runner", "pod"} }

// TargetCheck resolves a name or opens a connection. It holds exactly one of dns, tcp and tls.
type TargetCheck struct {
	// Name that must resolve.
	DNS string `yaml:"dns" form:"dnsname" example:"license.aiv.internal"`
	// Host and port that must accept a connection.
	TCP string `yaml:"tcp" form:"hostport" example:"license.aiv.internal:27000"`
	// Host and port that must present a certificate that verifies.
	TLS string `yaml:"tls" form:"hostport" example:"ldap.aiv.internal:636"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Name that the certificate must be for, where it is not the host.
	ServerName string `yaml:"serverName" form:"dnsname" example:"ldap.aiv.internal"`
	// Where the connection comes from; the runner if left out.
	From Origin `yaml:"from" example:"pod"`
	// Must it be refused?
	ExpectRefused bool `yaml:"expectRefused" example:"false"`
}

// ImageCheck runs a program in a throwaway pod.
type ImageCheck struct {
	// Image to run.
	Image string `yaml:"image" example:"artifactory.aiv.internal/ml-platform/license-check:v1" jsonschema:"required"`
	// Program to run; the image's own if left out.
	Command []string `yaml:"command" form:"argument" example:"/check"`
	// Arguments of the program.
	Args []string `yaml:"args" form:"argument" example:"--fast"`
	// Environment variables of the program; a secret one is a reference to a Kubernetes Secret of the namespace.
	Env map[string]Value `yaml:"env" example:"REGION=eu"`
	// Expected exit code; 0 if left out.
	ExpectExit *int `yaml:"expectExit" example:"0"`
	// Time after which it has failed; 2m if left out.
	Timeout Duration `yaml:"timeout" example:"2m"`
	// Pull secret in the namespace.
	PullSecret string `yaml:"pullSecret" form:"dnsname" example:"registry-pull"`
}

func (c Custom) validate() []problem {
	problems := required(requirement{"id", c.ID != "", "the name of the check"},
		requirement{"title", c.Title != "", "what it proves"})
	if count(c.Object != nil, c.HTTP != nil, c.Target != nil, c.Image != nil) != 1 {
		problems = append(problems, problem{text: "a check of your own holds exactly one of object, http, target and image"})
	}
	return problems
}

func (o ObjectCheck) validate() []problem {
	problems := required(requirement{"apiVersion", o.APIVersion != "", "the API version of the object"},
		requirement{"kind", o.Kind != "", "the kind of the object"},
		requirement{"expect", o.Expect != "", "the CEL expression that must be true"})
	if count(o.Name != "", o.LabelSelector != "") != 1 {
		problems = append(problems, problem{text: "an object is found by exactly one of name and labelSelector"})
	}
	return problems
}

func (h HTTPCheck) validate() []problem {
	credentials := []Secret{h.Password, h.Bearer}
	for _, value := range h.Headers {
		credentials = append(credentials, value.Secret)
	}
	return append(required(requirement{"url", h.URL != "", "the address to ask"}), encrypted("url", h.URL, credentials...)...)
}

func (t TargetCheck) validate() []problem {
	if count(t.DNS != "", t.TCP != "", t.TLS != "") != 1 {
		return []problem{{text: "a target is exactly one of dns, tcp and tls"}}
	}
	return nil
}

func (i ImageCheck) validate() []problem {
	problems := required(requirement{"image", i.Image != "", "the image to run"})
	for name, value := range i.Env {
		// Anything else would put the value into the pod's specification, for all to read.
		if value.Secret.IsSet() && (value.Secret.Kubernetes == nil || value.Secret.Kubernetes.Namespace != "") {
			problems = append(problems, problem{key: "env", text: name + ": a secret variable of a pod comes from a Secret of the pod's namespace: {secret: {name: NAME, key: KEY}}"})
		}
	}
	return problems
}

func count(conditions ...bool) (n int) {
	for _, holds := range conditions {
		if holds {
			n++
		}
	}
	return n
}
