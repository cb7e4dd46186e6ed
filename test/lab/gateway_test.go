//go:build lab

package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/verdict"
)

// TestGateway answers a Gateway in the place of an IngressClass: Traefik is both in the lab.
func TestGateway(t *testing.T) {
	content, err := os.ReadFile(lab.State("answers.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const class = "  className: traefik\n"
	if strings.Count(string(content), class) != 1 {
		t.Fatalf("the lab's answers do not hold %q once", class)
	}
	answered := func(t *testing.T, gateway string) outcome {
		path := filepath.Join(t.TempDir(), "answers.yaml")
		text := strings.Replace(string(content), class, "  gateway: {namespace: ingress, name: "+gateway+"}\n", 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return run(t, "--answers", path, "--focus=ingress")
	}
	t.Run("there", func(t *testing.T) {
		o := answered(t, "traefik")
		if o.code != verdict.ExitWarnings {
			t.Errorf("exit code %d, want %d: that TLS ends at the Gateway is not measured", o.code, verdict.ExitWarnings)
		}
		for _, id := range []string{"2.2.2", "2.2.3", "2.2.4", "N.1.1", "N.1.2"} {
			if item := o.items[id]; item.Verdict != verdict.Passed || len(item.Warnings) > 0 != (id == "2.2.4") {
				t.Errorf("%s is %s with the warnings %v:\n%s", id, item.Verdict, item.Warnings, item.Explanation())
			}
		}
		expectNothingLeft(t)
	})
	t.Run("another", func(t *testing.T) {
		o := answered(t, "other")
		item := o.items["2.2.3"]
		if item.Verdict != verdict.Failed || !strings.Contains(item.Explanation(), "Gateway ingress/other") {
			t.Errorf("2.2.3 is %s:\n%s", item.Verdict, item.Explanation())
		}
		expectNothingLeft(t)
	})
}
