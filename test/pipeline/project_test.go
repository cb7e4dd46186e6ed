//go:build lab

package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// jobTimeout bounds one call of gitlab-ci-local, builds included.
const jobTimeout = 10 * time.Minute

// project is a Git repository as a GitLab project would be, in a folder of its own.
type project struct {
	folder    string
	variables []string
}

// newProject makes the project at this path of the GitLab server from the given files.
func newProject(t *testing.T, path string, files map[string][]byte) *project {
	t.Helper()
	p := &project{folder: t.TempDir()}
	for name, content := range files {
		target := filepath.Join(p.folder, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if bytes.HasPrefix(content, []byte("#!")) {
			mode = 0o755
		}
		if err := os.WriteFile(target, content, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"remote", "add", "origin", "ssh://git@" + gitLabHost + "/" + path + ".git"},
		{"add", "--all"},
		{"-c", "user.name=lab", "-c", "user.email=lab@aiv.internal", "commit", "--quiet", "--message=lab"},
	} {
		command := exec.CommandContext(t.Context(), "git", arguments...)
		command.Dir = p.folder
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(arguments, " "), err, output)
		}
	}
	return p
}

// repository returns the files of this repository as they are in the working tree.
func repository(t *testing.T) map[string][]byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	command.Dir = root
	list, err := command.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	files := map[string][]byte{}
	for name := range strings.SplitSeq(strings.Trim(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
	}
	return files
}

// with sets CI/CD variables of the project.
func (p *project) with(variables ...string) *project {
	p.variables = append(p.variables, variables...)
	return p
}

// gitLabCI runs gitlab-ci-local in the project and returns what it printed and its exit code.
func (p *project) gitLabCI(t *testing.T, arguments ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), jobTimeout)
	defer cancel()
	for _, variable := range p.variables {
		arguments = append(arguments, "--variable", variable)
	}
	command := exec.CommandContext(ctx, tool, append([]string{"--home", p.folder, "--no-color"}, arguments...)...)
	command.Dir = p.folder
	// In the image, runner is on the path.
	command.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
	// What a job leaves behind must not keep the call from ending.
	command.WaitDelay = 10 * time.Second
	var out, errors bytes.Buffer
	command.Stdout, command.Stderr = &out, &errors
	err := command.Run()
	if command.ProcessState == nil {
		t.Fatalf("start gitlab-ci-local: %v", err)
	}
	if ctx.Err() != nil {
		t.Fatalf("gitlab-ci-local did not end within %s:\n%s\n%s", jobTimeout, out.String(), errors.String())
	}
	return out.String(), errors.String(), command.ProcessState.ExitCode()
}

// run runs jobs on this machine, in the project's folder. (With --shell-isolation, the tool
// copies the project anew before after_script, over what the job is to hand in.)
func (p *project) run(t *testing.T, jobs ...string) (output string, code int) {
	t.Helper()
	stdout, stderr, code := p.gitLabCI(t, append(jobs, "--force-shell-executor")...)
	return stdout + stderr, code
}

// job is what --list-json says of a job.
type job struct {
	Name  string `json:"name"`
	Stage string `json:"stage"`
	When  string `json:"when"`
}

// jobs returns the jobs that the project's pipeline would have, by name.
func (p *project) jobs(t *testing.T) map[string]job {
	t.Helper()
	stdout, stderr, code := p.gitLabCI(t, "--list-json")
	if code != 0 {
		t.Fatalf("the pipeline is not valid:\n%s\n%s", stdout, stderr)
	}
	var list []job
	if err := json.Unmarshal([]byte(stdout), &list); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	jobs := map[string]job{}
	for _, j := range list {
		if j.When != "never" {
			jobs[j.Name] = j
		}
	}
	return jobs
}

// expanded returns the pipeline with everything included.
func (p *project) expanded(t *testing.T) map[string]any {
	t.Helper()
	stdout, stderr, code := p.gitLabCI(t, "--preview")
	if code != 0 {
		t.Fatalf("the pipeline is not valid:\n%s\n%s", stdout, stderr)
	}
	var pipeline map[string]any
	if err := yaml.Unmarshal([]byte(stdout), &pipeline); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	return pipeline
}

// artifact reads a file that a job handed in.
func (p *project) artifact(t *testing.T, job, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(p.folder, ".gitlab-ci-local", "artifacts", job, name))
	if err != nil {
		t.Fatalf("artifact of %s: %v", job, err)
	}
	return content
}

// goEnv returns a setting of the Go tool.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(value))
}
