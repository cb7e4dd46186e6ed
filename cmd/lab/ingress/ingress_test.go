package ingress

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

func TestManifests(t *testing.T) {
	for _, name := range []string{"metallb.yaml", "traefik.yaml"} {
		content, err := render(name)
		if err != nil {
			t.Fatal(err)
		}
		decoder, count := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096), 0
		for {
			var object struct {
				APIVersion, Kind string
				Metadata         struct{ Name string }
			}
			err := decoder.Decode(&object)
			if err == io.EOF {
				break
			}
			if err != nil || object.Kind == "" || object.APIVersion == "" || object.Metadata.Name == "" {
				t.Errorf("%s: %+v, %v", name, object, err)
				break
			}
			count++
		}
		if count < 5 || !strings.Contains(string(content), topology.IngressNamespace) {
			t.Errorf("%s: %d objects:\n%s", name, count, content)
		}
	}
}

// parse reads YAML strictly enough for a slip of indentation to show.
func parse(t *testing.T, content []byte) map[string]any {
	t.Helper()
	var parsed map[string]any
	if err := sigsyaml.UnmarshalStrict(content, &parsed); err != nil {
		t.Fatalf("%v in\n%s", err, content)
	}
	return parsed
}

// at follows keys into parsed YAML.
func at(t *testing.T, value any, keys ...string) any {
	t.Helper()
	for _, key := range keys {
		branch, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("nothing below %q in %v", key, value)
		}
		value = branch[key]
	}
	return value
}

func TestTraefikConfiguration(t *testing.T) {
	dir := state.Dir("/lab")
	static, err := renderTraefik(dir)
	if err != nil {
		t.Fatal(err)
	}
	parsed := parse(t, static)
	if got := at(t, parsed, "entryPoints", "websecure", "address"); got != edge().IP+":443" {
		t.Errorf("it listens at %v", got)
	}
	if got := at(t, parsed, "providers", "kubernetesIngress", "ingressEndpoint", "publishedService"); got != "ingress/ingress" {
		t.Errorf("it publishes the address of %v", got)
	}
	for name, c := range map[string]struct {
		way        Way
		redirected bool
		middleware string
	}{
		"healthy":      {Way{}, true, "headers"},
		"plain":        {Way{Plain: true}, false, "headers"},
		"small bodies": {Way{BodyLimit: 1 << 20}, true, "buffering"},
		"buffered":     {Way{Buffer: true}, true, "buffering"},
		"no upgrade":   {Way{NoUpgrade: true}, true, "headers"},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := renderDynamic(dir, c.way)
			if err != nil {
				t.Fatal(err)
			}
			parsed := parse(t, content)
			if got := at(t, parsed, "http", "routers") != nil; got != c.redirected {
				t.Errorf("redirected: %t", got)
			}
			if at(t, parsed, "http", "middlewares", "way", c.middleware) == nil {
				t.Errorf("no %s in\n%s", c.middleware, content)
			}
			if got := at(t, parsed, "tls", "stores", "default", "defaultCertificate", "certFile"); got != "/lab/pki/jupyterhub.crt" {
				t.Errorf("it shows %v", got)
			}
		})
	}
}

func TestNGINXConfiguration(t *testing.T) {
	dir := state.Dir("/lab")
	for plain, want := range map[bool]string{false: "return 301 https://$host$request_uri;", true: "return 200"} {
		content, err := renderNGINX(dir, Way{Plain: plain})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{want, "listen 10.64.0.1:8444 ssl", "ssl_certificate /lab/pki/jupyterhub.crt;"} {
			if !strings.Contains(string(content), line) {
				t.Errorf("%q is not in\n%s", line, content)
			}
		}
		if strings.Contains(string(content), "return 301") == plain {
			t.Errorf("plain %t:\n%s", plain, content)
		}
	}
}

func TestBackends(t *testing.T) {
	for full, policy := range map[bool]corev1.ServiceExternalTrafficPolicy{
		false: corev1.ServiceExternalTrafficPolicyCluster, true: corev1.ServiceExternalTrafficPolicyLocal,
	} {
		backend := Own(full)
		s, endpoints := service(backend), slice(backend)
		if s.Spec.ExternalTrafficPolicy != policy {
			t.Errorf("full %t: policy %s", full, s.Spec.ExternalTrafficPolicy)
		}
		if len(endpoints.Endpoints) != 1 || len(endpoints.Ports) != 2 || (endpoints.Endpoints[0].NodeName != nil) != full {
			t.Errorf("full %t: %+v", full, endpoints)
		}
		for _, port := range s.Spec.Ports {
			for _, other := range endpoints.Ports {
				if *other.Name == port.Name && *other.Port != port.TargetPort.IntVal {
					t.Errorf("full %t: port %s leads to %d and %d", full, port.Name, port.TargetPort.IntVal, *other.Port)
				}
			}
		}
		// What is applied must not claim the status: that is MetalLB's.
		content, err := json.Marshal(s)
		if err != nil || strings.Contains(string(content), `"status":{"loadBalancer":{"ingress"`) {
			t.Errorf("%v: %s", err, content)
		}
	}
}
