package seed

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCorefileHasItsPlugins holds the Corefile against the plugins that the lab's CoreDNS is
// built with.
func TestCorefileHasItsPlugins(t *testing.T) {
	manifest, err := manifests.ReadFile("manifests/dns.yaml")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../coredns/main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(source), "var directives = []string{")
	list, _, _ = strings.Cut(list, "}")
	built := map[string]bool{}
	for _, name := range regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(list, -1) {
		built[name[1]] = true
	}
	// In the Corefile's one block, plugins are indented by eight blanks, their options by more.
	used := map[string]bool{}
	for _, name := range regexp.MustCompile(`(?m)^ {8}(\w+)`).FindAllStringSubmatch(corefile(t, string(manifest)), -1) {
		used[name[1]] = true
		if !built[name[1]] {
			t.Errorf("the Corefile names %s, which CoreDNS is built without", name[1])
		}
	}
	for name := range built {
		if !used[name] {
			t.Errorf("CoreDNS is built with %s, which the Corefile does not name", name)
		}
	}
}

func corefile(t *testing.T, manifest string) string {
	t.Helper()
	_, content, found := strings.Cut(manifest, "  Corefile: |\n")
	content, _, ends := strings.Cut(content, "\n---\n")
	if !found || !ends {
		t.Fatal("no Corefile in the manifest of cluster DNS")
	}
	return content
}
