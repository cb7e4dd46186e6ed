package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"aiv.internal/conformance/cmd/lab/state"
)

// definitions are custom resource definitions that come with a module: those of the very
// version that is built.
type definitions struct {
	// module and the pattern of the files in it.
	module, files string
	// to is the folder in .lab/bin that the YAML files are copied to.
	to string
}

// copy copies the files, in the place of those that are there. The module is in the build list
// of the one in folder source, and has been downloaded to build it.
func (d definitions) copy(ctx context.Context, dir state.Dir, source string) error {
	list := exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", d.module)
	list.Dir = source
	root, err := list.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return fmt.Errorf("find module %s: %w: %s", d.module, err, failed.Stderr)
	}
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), d.files))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("module %s has no definitions %s", d.module, d.files)
	}
	if err := errors.Join(os.RemoveAll(dir.Bin(d.to)), os.MkdirAll(dir.Bin(d.to), 0o755)); err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir.Bin(d.to), filepath.Base(file)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
