package network

import (
	"errors"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"aiv.internal/conformance/framework/finding"
)

func TestExplainEndpoints(t *testing.T) {
	slice := func(service string, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Name: service + "-x", Namespace: "hub", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
			Endpoints:  endpoints,
		}
	}
	one := discoveryv1.Endpoint{Addresses: []string{"10.0.0.1"}}
	for name, c := range map[string]struct {
		objects   []runtime.Object
		forbidden bool
		explained bool
	}{
		"no slice":              {nil, false, true},
		"a slice of another":    {[]runtime.Object{slice("proxy-public", one)}, false, true},
		"an empty slice":        {[]runtime.Object{slice("backend")}, false, true},
		"one endpoint":          {[]runtime.Object{slice("backend", one)}, false, false},
		"no right to list them": {nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(c.objects...)
			if c.forbidden {
				client.PrependReactor("list", "endpointslices", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, errors.New("forbidden")
				})
			}
			f := finding.Failed("an answer", "404", "a cause", "a step")
			explainEndpoints(t.Context(), client, "hub", "backend", f)
			if explained := strings.Contains(f.Found, "no endpoints") && f.Why != "a cause"; explained != c.explained {
				t.Errorf("explained %t, want %t: %+v", explained, c.explained, f)
			}
		})
	}
}
