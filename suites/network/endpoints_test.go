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
	const makesNone = "the cluster makes no EndpointSlices"
	one := discoveryv1.Endpoint{Addresses: []string{"10.0.0.1"}}
	for name, c := range map[string]struct {
		objects   []runtime.Object
		forbidden bool
		why       string
	}{
		"no slice":              {nil, false, makesNone},
		"a slice of another":    {[]runtime.Object{slice("proxy-public", one)}, false, makesNone},
		"an empty slice":        {[]runtime.Object{slice("backend")}, false, "the pod is gone or not seen yet"},
		"one endpoint":          {[]runtime.Object{slice("backend", one)}, false, ""},
		"no right to list them": {nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(c.objects...)
			if c.forbidden {
				client.PrependReactor("list", "endpointslices", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, errors.New("forbidden")
				})
			}
			f := finding.Failed("an answer", "404", "a cause", "a step")
			explainEndpoints(t.Context(), client, "hub", "backend", true, f)
			if explained := strings.Contains(f.Found, "no endpoints") && f.Why != "a cause"; explained != (c.why != "") || !strings.Contains(f.Why, c.why) {
				t.Errorf("explained %t, want %q: %+v", explained, c.why, f)
			}
		})
	}
}

// TestNoEndpointsLeaveNoDoubt: a cluster that makes none serves no host, whatever was left out.
func TestNoEndpointsLeaveNoDoubt(t *testing.T) {
	empty := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: "hub", Labels: map[string]string{discoveryv1.LabelServiceName: "backend"}}}
	for _, c := range []struct {
		objects             []runtime.Object
		answered, undecided bool
	}{{nil, true, false}, {nil, false, true}, {[]runtime.Object{empty}, true, true}} {
		f := finding.NotDecided("an answer", "404", "a cause; or a doubt", "a step")
		explainEndpoints(t.Context(), fake.NewClientset(c.objects...), "hub", "backend", c.answered, f)
		if f.Undecided != c.undecided {
			t.Errorf("answered %t, slices %d: %+v", c.answered, len(c.objects), f)
		}
	}
}
