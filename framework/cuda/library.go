package cuda

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"

	"aiv.internal/conformance/framework/probe"
)

// errNotFound: the library is in none of the folders.
var errNotFound = errors.New("not found")

// library is an opened shared library. All calls into it are announced and timed.
type library struct {
	handle  uintptr
	symbols map[string]uintptr
	// entering is called before each call; inside grows by the time spent in calls.
	entering func(call string)
	inside   *time.Duration
}

// openLibrary opens the library of that name: only from the folder that is given, or from
// where the dynamic loader finds it, or else from where toolkits put it.
func openLibrary(name, only string) (uintptr, error) {
	paths := []string{filepath.Join(only, name)}
	if only == "" {
		paths = []string{name}
		for _, folder := range probe.DriverFolders() {
			paths = append(paths, filepath.Join(folder, name))
		}
	}
	var broken error
	for _, path := range paths {
		handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err == nil {
			return handle, nil
		}
		// A library that is there and cannot be loaded is another trouble than one that is not. By
		// its plain name it is what every other program would get, whatever lies elsewhere.
		if !strings.Contains(path, "/") && !saysMissing(err, path) {
			return 0, fmt.Errorf("load %s: %w", path, err)
		}
		if _, missing := os.Stat(path); strings.Contains(path, "/") && missing == nil && broken == nil {
			broken = fmt.Errorf("load %s: %w", path, err)
		}
	}
	if broken != nil {
		return 0, broken
	}
	return 0, errNotFound
}

// saysMissing tells by glibc's words (dlerror(3)) that the library itself is nowhere, and not
// one of those that it needs.
func saysMissing(err error, name string) bool {
	return strings.HasPrefix(err.Error(), name+": cannot open shared object file: No such file")
}

// loadedFrom is the file that an opened library was really read from, by /proc/self/maps
// (proc_pid_maps(5)), with symbolic links resolved: it mostly names the driver's version.
func loadedFrom(name string) string {
	stem, _, _ := strings.Cut(name, ".so")
	file, err := os.Open("/proc/self/maps")
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 6 && strings.HasPrefix(filepath.Base(fields[5]), stem+".so") {
			return fields[5]
		}
	}
	return ""
}

// has says whether the library knows one of the functions, and which: older drivers lack some.
func (l *library) has(names ...string) (string, bool) {
	for _, name := range names {
		if l.symbol(name) != 0 {
			return name, true
		}
	}
	return "", false
}

func (l *library) symbol(name string) uintptr {
	address, known := l.symbols[name]
	if !known {
		address, _ = purego.Dlsym(l.handle, name) // 0 if there is none
		l.symbols[name] = address
	}
	return address
}

// call calls the function and returns what it returns, an int32 by both libraries' convention.
// Pointers among the arguments are kept alive while it runs.
//
//go:uintptrescapes
func (l *library) call(name string, args ...uintptr) (code int32, known bool) {
	address := l.symbol(name)
	if address == 0 {
		return 0, false
	}
	l.entering(name)
	began := time.Now()
	result, _, _ := purego.SyscallN(address, args...)
	*l.inside += time.Since(began)
	return int32(result), true
}

// text reads a C string of at most 1 KiB.
func text(c *byte) string {
	if c == nil {
		return ""
	}
	var b []byte
	for i := 0; i < 1024; i++ {
		char := *(*byte)(unsafe.Add(unsafe.Pointer(c), i))
		if char == 0 {
			break
		}
		b = append(b, char)
	}
	return string(b)
}

// cString is text as C wants it.
func cString(text string) []byte { return append([]byte(text), 0) }

// goString reads a buffer that C has written a string into.
func goString(buffer []byte) string {
	before, _, _ := strings.Cut(string(buffer), "\x00")
	return strings.TrimSpace(before)
}
