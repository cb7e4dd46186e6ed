package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/launch"
	"aiv.internal/conformance/framework/verdict"
)

func TestMain(m *testing.M) {
	launch.Divert()
	os.Exit(m.Run())
}

// call runs one command line and returns its exit code and all that it printed.
func call(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = write, write
	printed := make(chan string)
	go func() {
		content, _ := io.ReadAll(read)
		printed <- string(content)
	}()
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(write)
	root.SetErr(write)
	code = execute(root)
	os.Stdout, os.Stderr = stdout, stderr
	write.Close()
	return code, <-printed
}

func answersFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "answers.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: conformance.aiv.internal/v1\nkind: Answers\n"+content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWrongUseIsExitCodeTwoAndWritesNothing(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.yaml")
	good := answersFile(t, "")
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"an unknown flag":      {[]string{"--focsu=gpu"}, []string{"unknown flag", "--focsu"}},
		"an unknown command":   {[]string{"chekc"}, []string{"unknown command"}},
		"no answers file":      {[]string{"--answers", none}, []string{"no answers file", "runner init"}},
		"a mistyped focus":     {[]string{"--answers", good, "--focus=gpuu"}, []string{`did you mean "gpu"?`}},
		"both at once":         {[]string{"--answers", none, "--focus=gpuu"}, []string{`did you mean "gpu"?`, "no answers file"}},
		"nothing left":         {[]string{"--answers", good, "--focus=6", "--skip=6"}, []string{"leaves nothing to check"}},
		"no workers":           {[]string{"--answers", good, "--parallel=0"}, []string{"--parallel"}},
		"an unknown key":       {[]string{"--answers", answersFile(t, "clutser: {}\n")}, []string{"answers.yaml:3:1", "clutser", "cluster"}},
		"a literal password":   {[]string{"--answers", answersFile(t, "registry:\n  password: hunter2\n")}, []string{"answers.yaml:4"}},
		"an unknown waiver":    {[]string{"--answers", answersFile(t, "waivers:\n  - {id: 9.9.9, reason: x, approvedBy: y, expires: 2030-01-01}\n")}, []string{"answers.yaml:4", "9.9.9"}},
		"a broken expression":  {[]string{"--answers", answersFile(t, "custom:\n  - {id: x, title: X, object: {apiVersion: v1, kind: Pod, name: p, expect: 'object..'}}\n")}, []string{"answers.yaml:4", "expect"}},
		"an unknown output":    {[]string{"list", "-o", "xml"}, []string{"neither text nor json"}},
		"cleanup without file": {[]string{"cleanup", "--answers", none}, []string{"which namespace?"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "report")
			args := c.args
			if !strings.HasPrefix(args[0], "list") && !strings.HasPrefix(args[0], "cleanup") && args[0] != "chekc" {
				args = append(args, "--output-dir", folder)
			}
			code, output := call(t, args...)
			if code != verdict.ExitUsage {
				t.Errorf("exit code %d, want %d:\n%s", code, verdict.ExitUsage, output)
			}
			for _, want := range c.want {
				if !strings.Contains(output, want) {
					t.Errorf("the message lacks %q:\n%s", want, output)
				}
			}
			if strings.Contains(output, "hunter2") {
				t.Errorf("a secret is shown:\n%s", output)
			}
			if _, err := os.Stat(folder); err == nil {
				t.Error("wrong use made a report folder")
			}
		})
	}
}

func TestListIsAnInterface(t *testing.T) {
	code, output := call(t, "list", "-o", "json")
	var items []map[string]any
	if err := json.Unmarshal([]byte(output), &items); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v:\n%s", code, err, output)
	}
	if len(items) < 204 {
		t.Errorf("%d items", len(items))
	}
	for _, item := range items {
		for _, key := range []string{"id", "title", "section", "subsection", "kind", "topics"} {
			if item[key] == nil || item[key] == "" {
				t.Errorf("%v has no %s", item, key)
			}
		}
	}
}

func TestAClusterThatIsNotThereIsAResult(t *testing.T) {
	folder := t.TempDir()
	code, output := call(t, "--answers", answersFile(t, "cluster: {version: '1.36', cpuNodes: 1, gpuNodes: 0, namespace: x}\n"),
		"--kubeconfig", filepath.Join(folder, "none"), "--output-dir", folder, "--focus=1.1")
	if code != verdict.ExitNotMet {
		t.Errorf("exit code %d, want %d", code, verdict.ExitNotMet)
	}
	for _, want := range []string{"FAIL         1.1.1", "for the same reason as", "UNDECIDED    1.1.4", "junit.xml"} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q:\n%s", want, output)
		}
	}
	for _, file := range []string{"junit.xml", "report.json"} {
		if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
			t.Error(err)
		}
	}
}

func TestInitWritesAFileThatLoads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answers.yaml")
	if code, output := call(t, "init", "--offline", "-o", path); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, output)
	}
	if code, output := call(t, "images", "--answers", path); code != 0 {
		t.Errorf("what init wrote does not load: exit code %d:\n%s", code, output)
	}
	if code, output := call(t, "init", "--offline", "-o", path); code != verdict.ExitUsage || !strings.Contains(output, "exists") {
		t.Errorf("init overwrote a file: exit code %d:\n%s", code, output)
	}
}
