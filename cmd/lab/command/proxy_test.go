package command

import (
	"os"
	"testing"
)

func TestBypassProxies(t *testing.T) {
	const all = "10.64.0.0/24,10.65.0.0/16,10.66.0.0/16,.aiv.internal,.cluster.local,127.0.0.1,localhost"
	for _, c := range []struct{ name, upper, lower, wantUpper, wantLower string }{
		{"nothing set", "", "", all, all},
		{"upper case alone", "corp.example", "", "corp.example," + all, "corp.example," + all},
		{"lower case alone", "", "corp.example", "corp.example," + all, "corp.example," + all},
		{"each its own", "a.example", "b.example, c.example", "a.example," + all, "b.example,c.example," + all},
		{"done before", all, all, all, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("NO_PROXY", c.upper)
			t.Setenv("no_proxy", c.lower)
			if err := bypassProxies(); err != nil {
				t.Fatal(err)
			}
			if upper, lower := os.Getenv("NO_PROXY"), os.Getenv("no_proxy"); upper != c.wantUpper || lower != c.wantLower {
				t.Errorf("got %q and %q", upper, lower)
			}
		})
	}
}
