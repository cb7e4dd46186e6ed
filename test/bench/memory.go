package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// sampleEvery is how often the processes are looked at. Peaks of one process are the kernel's
// own and miss nothing; only the sum depends on the moment.
const sampleEvery = 25 * time.Millisecond

// memory is what a process and all its descendants used, in bytes.
type memory struct {
	// largest is the peak resident size of the largest process.
	largest int64
	// together is the largest sum of what all of them had at one moment. Pages that several of
	// them share, such as the program itself, are shared out among them (PSS in proc(5)).
	together int64
	// processes is the most of them at one moment.
	processes int
}

// watchMemory samples the tree below a process until the returned function is called.
func watchMemory(root int) func() memory {
	stop, result := make(chan struct{}), make(chan memory)
	go func() {
		var seen memory
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				result <- seen
				return
			case <-tick.C:
				seen.sample(root)
			}
		}
	}()
	return func() memory { close(stop); return <-result }
}

func (m *memory) sample(root int) {
	tree := descendants(root)
	var together int64
	for _, pid := range tree {
		m.largest = max(m.largest, kibibytes(pid, "status", "VmHWM:"))
		together += kibibytes(pid, "smaps_rollup", "Pss:")
	}
	m.together, m.processes = max(m.together, together), max(m.processes, len(tree))
}

// descendants are a process and all below it.
func descendants(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		content, err := os.ReadFile(path)
		// The name stands in brackets and may itself hold any.
		_, rest, found := bytes.Cut(content[bytes.LastIndexByte(content, ')')+1:], []byte(" "))
		fields := bytes.Fields(rest)
		if err != nil || !found || len(fields) < 2 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(string(fields[1]))
		children[parent] = append(children[parent], pid)
	}
	tree := []int{root}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

// kibibytes reads one line of a process's file, in bytes; 0 if the process is gone.
func kibibytes(pid int, file, key string) int64 {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(content) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == key {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return n << 10
		}
	}
	return 0
}
