package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aiv.internal/conformance/cmd/lab/state"
)

func execute(t *testing.T, arguments ...string) (output string, err error) {
	t.Helper()
	t.Setenv(state.EnvironmentVariable, filepath.Join(t.TempDir(), "lab"))
	root := NewCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(arguments)
	err = root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestWrongUse(t *testing.T) {
	for _, arguments := range [][]string{
		{"up", "now"}, {"up", "--fast"}, {"break"}, {"break", "nothing"}, {"mend", "nothing"},
		{"status", "-o", "xml"}, {"faults", "extra"},
	} {
		_, err := execute(t, arguments...)
		var use usageError
		if !errors.As(err, &use) {
			t.Errorf("lab %s: %v is not told as wrong use", strings.Join(arguments, " "), err)
		}
	}
}

func TestFaultsAsJSON(t *testing.T) {
	output, err := execute(t, "faults", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name, Description string
		Active            bool
	}
	if err := json.Unmarshal([]byte(output), &all); err != nil {
		t.Fatalf("%v in\n%s", err, output)
	}
	if len(all) == 0 || all[0].Name == "" || all[0].Description == "" || all[0].Active {
		t.Errorf("got %+v", all)
	}
}

func TestFaultsTellWhichNeedTheFullLab(t *testing.T) {
	output, err := execute(t, "faults")
	if err != nil {
		t.Fatal(err)
	}
	needs := map[string]bool{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		needs[fields[0]] = fields[1] == "full"
	}
	if !needs["body-limited"] || needs["vip-closed"] {
		t.Errorf("got\n%s", output)
	}
}

func TestStatusOfNoLab(t *testing.T) {
	output, err := execute(t, "status", "-o", "json")
	if !errors.Is(err, errNotUp) {
		t.Errorf("got error %v", err)
	}
	var status struct{ Up bool }
	if err := json.Unmarshal([]byte(output), &status); err != nil || status.Up {
		t.Errorf("%v, %s", err, output)
	}
}

func TestPathsOfNoLab(t *testing.T) {
	for _, name := range []string{"kubeconfig", "answers"} {
		if _, err := execute(t, name); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "lab up") {
			t.Errorf("lab %s: %v", name, err)
		}
	}
}
