package probe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy copies the running program, and the one that tests GPUs if it is beside it, into the
// folder dir, where a container of another image can start them.
func Copy(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if err := copyProgram(self, filepath.Join(dir, "probe")); err != nil {
		return err
	}
	err = copyProgram(filepath.Join(filepath.Dir(self), gpuProgram), filepath.Join(dir, gpuProgram))
	if errors.Is(err, fs.ErrNotExist) && exists(dir) {
		return nil
	}
	return err
}

// copyProgram copies by rename, so that no half program is ever there to be started.
func copyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy a program: %w", err)
	}
	defer source.Close()
	temporary, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*")
	if err != nil {
		return fmt.Errorf("copy a program: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(temporary.Name())
		}
	}()
	_, err = io.Copy(temporary, source)
	// Whatever the umask is: the other container may run as another user.
	if err = errors.Join(err, temporary.Chmod(0o755), temporary.Close()); err != nil {
		return fmt.Errorf("copy a program: %w", err)
	}
	return os.Rename(temporary.Name(), to)
}
