package cluster

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/state"
)

func tryLock(file *os.File) error {
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// sysctls are the kernel settings that a kubelet changes for the whole machine.
var sysctls = []string{
	"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/panic_on_oom",
	"/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops",
	"/proc/sys/kernel/keys/root_maxkeys", "/proc/sys/kernel/keys/root_maxbytes",
}

func sysctlFile(dir state.Dir) string { return dir.Path("sysctls.json") }

// saveSysctls remembers the settings as they were before the lab, unless that is done. While
// others, in whatever namespaces, run on the machine, the settings are theirs: they have
// remembered the right ones, and put them back.
func saveSysctls(dir state.Dir, others []string) error {
	if exists(sysctlFile(dir)) || len(others) > 0 {
		return nil
	}
	values := map[string]string{}
	for _, path := range sysctls {
		if content, err := os.ReadFile(path); err == nil {
			values[path] = string(content)
		}
	}
	content, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return os.WriteFile(sysctlFile(dir), content, 0o644)
}

// restoreSysctls puts the settings back.
func restoreSysctls(dir state.Dir) error {
	content, err := os.ReadFile(sysctlFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var values map[string]string
	if err := json.Unmarshal(content, &values); err != nil {
		return err
	}
	var failed []error
	for path, value := range values {
		failed = append(failed, os.WriteFile(path, []byte(value), 0o644))
	}
	return errors.Join(append(failed, os.Remove(sysctlFile(dir)))...)
}
