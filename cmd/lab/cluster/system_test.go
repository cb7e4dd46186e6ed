package cluster

import (
	"encoding/json"
	"os"
	"testing"

	"aiv.internal/conformance/cmd/lab/state"
)

func TestSaveSysctls(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := saveSysctls(dir, []string{"/elsewhere/.lab"}); err != nil || exists(sysctlFile(dir)) {
		t.Errorf("saved what another lab has set, error %v", err)
	}
	if err := saveSysctls(dir, nil); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(sysctlFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]string
	if err := json.Unmarshal(content, &values); err != nil || values["/proc/sys/kernel/panic"] == "" {
		t.Errorf("saved %s, error %v", content, err)
	}
	const first = `{"the": "first"}`
	if err := os.WriteFile(sysctlFile(dir), []byte(first), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := saveSysctls(dir, nil); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(sysctlFile(dir)); err != nil || string(content) != first {
		t.Errorf("what was saved first became %s, error %v", content, err)
	}
}
