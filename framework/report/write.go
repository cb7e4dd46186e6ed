package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Names of the files in the output folder.
const (
	JUnitFile = "junit.xml"
	JSONFile  = "report.json"
)

// Write writes the report's files into folder, which is made if it is not there. Each file
// appears whole or not at all.
func (d *Document) Write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the output folder: %w", err)
	}
	for _, file := range []struct {
		name   string
		render func() ([]byte, error)
	}{{JSONFile, d.JSON}, {JUnitFile, d.JUnit}} {
		content, err := file.render()
		if err != nil {
			return err
		}
		if err := writeAtomically(filepath.Join(folder, file.name), content); err != nil {
			return fmt.Errorf("write %s: %w", file.name, err)
		}
	}
	return nil
}

// writeAtomically leaves either the old file or the whole new one, for a reader and after
// a crash: GitLab drops a truncated JUnit file without a word.
func writeAtomically(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, writing := file.Write(content)
	if err := errors.Join(writing, file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
