package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"aiv.internal/conformance/cmd/lab/state"
)

// keepInherited keeps from programs to come what whoever called the lab had open, a lock or a
// pipe: they outlive the lab's command, and would hold it for ever.
//
// close_range(2) could do it at once, but not before Linux 5.11.
func keepInherited() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		if descriptor, err := strconv.Atoi(entry.Name()); err == nil && descriptor > unix.Stderr {
			unix.CloseOnExec(descriptor) // one that is closed by now needs none
		}
	}
	return nil
}

// stat is what the lab needs of /proc/PID/stat.
type stat struct {
	state   byte
	session int
	started uint64
}

func readStat(pid int) (stat, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(content))
}

// parseStat reads a line of proc(5) stat. The second field, the program's name in brackets,
// may itself hold blanks and brackets: counting starts behind the last bracket.
func parseStat(line string) (stat, error) {
	_, rest, found := cutLast(line, ") ")
	fields := strings.Fields(rest)
	const sessionField, startedField = 6 - 3, 22 - 3 // stat's fields count from 1, and ours start at the third
	if !found || len(fields) <= startedField {
		return stat{}, fmt.Errorf("unexpected stat line %q", line)
	}
	session, err := strconv.Atoi(fields[sessionField])
	started, startedErr := strconv.ParseUint(fields[startedField], 10, 64)
	return stat{state: fields[0][0], session: session, started: started}, errors.Join(err, startedErr)
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

// bootID differs after each boot of the machine: start times count from there.
func bootID() string {
	content, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(content))
}

func (r Record) alive() bool {
	now, err := readStat(r.PID)
	return err == nil && now.state != 'Z' && now.started == r.Started && r.Boot == bootID()
}

// end asks a process to end and kills it when grace is over. It waits by pidfd, because most
// are not children of this process.
func end(pid int, grace time.Duration) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, 5 * time.Second}} {
		if step.wait == 0 {
			continue
		}
		if err := unix.PidfdSendSignal(fd, step.signal, nil, 0); errors.Is(err, unix.ESRCH) {
			return nil
		}
		if ended(fd, step.wait) {
			return nil
		}
	}
	return fmt.Errorf("process %d is still there after SIGKILL", pid)
}

func ended(fd int, wait time.Duration) bool {
	deadline := time.Now().Add(wait)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n > 0
	}
}

// KillAll kills every process that carries the mark of this lab, recorded or not: the shims
// of containers are started by containerd and inherit it. One that has lost its mark is known
// by its record. It returns how many there were.
func (s Supervisor) KillAll() (int, error) {
	killed := 0
	// A process may start another while we look, so look until nothing is left.
	for range 10 {
		found := s.ours()
		if len(found) == 0 {
			return killed, nil
		}
		killed += len(found)
		var failed []error
		for _, pid := range found {
			failed = append(failed, end(pid, 0))
		}
		if err := errors.Join(failed...); err != nil {
			return killed, err
		}
	}
	return killed, errors.New("processes of the lab keep starting: is another `lab up` running?")
}

// ours are the processes of this lab. Those that may start others come first.
func (s Supervisor) ours() []int {
	found := s.recorded()
	for _, pid := range s.marked() {
		if !slices.Contains(found, pid) {
			found = append(found, pid)
		}
	}
	return found
}

// recorded are the programs that have a record and run, and behind them what runs in their
// sessions: a program may write its title over its environment, and so over the mark.
func (s Supervisor) recorded() []int {
	var leaders, others []int
	for _, name := range s.Names() {
		if record, running := s.Find(name); running {
			leaders = append(leaders, record.PID)
		}
	}
	for pid := range environments() {
		if stat, err := readStat(pid); err == nil && stat.state != 'Z' && !slices.Contains(leaders, pid) && slices.Contains(leaders, stat.session) {
			others = append(others, pid)
		}
	}
	return append(leaders, others...)
}

// marked are the processes that carry this lab's mark.
func (s Supervisor) marked() []int {
	var found []int
	for pid, environment := range environments() {
		if folder, has := lookUp(environment, state.ProcessVariable); has && folder == string(s.Dir) {
			found = append(found, pid)
		}
	}
	return found
}

// Others are the state folders of labs that are not this one and have processes in this
// network namespace. They have the same names and addresses, so that there is room for one.
func (s Supervisor) Others() []string { return s.others(sameNetwork) }

// Anywhere are the state folders of labs that are not this one, in whatever namespaces. They
// may share folders of the host.
func (s Supervisor) Anywhere() []string { return s.others(func(int) bool { return true }) }

func (s Supervisor) others(counts func(pid int) bool) []string {
	var folders []string
	for pid, environment := range environments() {
		folder, found := lookUp(environment, state.ProcessVariable)
		if found && folder != string(s.Dir) && !slices.Contains(folders, folder) && counts(pid) {
			folders = append(folders, folder)
		}
	}
	return folders
}

// sameNetwork says whether the process is in this process's network namespace.
func sameNetwork(pid int) bool {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return true
	}
	other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	return err == nil && other == own
}

// environments are those of all processes but this one that may be read, by process ID.
func environments() map[int][]byte {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	found := map[int][]byte{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it ended, or is not ours to see
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && pid != os.Getpid() {
			found[pid] = content
		}
	}
	return found
}

// lookUp finds a variable in a process's environment as /proc shows it.
func lookUp(environment []byte, name string) (value string, found bool) {
	for entry := range bytes.SplitSeq(environment, []byte{0}) {
		if value, found := bytes.CutPrefix(entry, []byte(name+"=")); found {
			return string(value), true
		}
	}
	return "", false
}

// Kill ends the processes of those IDs at once.
func Kill(pids ...int) error {
	var failed []error
	for _, pid := range pids {
		failed = append(failed, end(pid, 0))
	}
	return errors.Join(failed...)
}
