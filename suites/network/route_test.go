package network

import (
	"net/http"
	"reflect"
	"testing"
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
