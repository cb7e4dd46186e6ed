package cuda

import (
	"fmt"
	"unsafe"

	"aiv.internal/conformance/framework/probe"
)

const (
	// patternBlocks and patternThreads are enough to keep a device's memory busy.
	patternBlocks, patternThreads = 256, 256
	// piece is how many words are also compared on the host, from the end of the memory: what
	// the kernel that compares might not see, the host does.
	piece = 1 << 17
	// leastMemory is what must be free for a test that says anything, in bytes.
	leastMemory = 16 << 20
)

// budget is how much of the current device's memory may be used: what was asked for, at most
// 90 % of what is free. Others may need the rest, the driver itself too.
func (s *session) budget() (int64, error) {
	free, err := s.cuda.freeMemory()
	if err != nil {
		return 0, err
	}
	if free < leastMemory {
		return 0, &probe.Trouble{Kind: probe.OutOfDeviceMemory, Message: fmt.Sprintf("only %d bytes of the device's memory are free: %s", free, meanings[outOfMemory].do)}
	}
	return min(s.options.Memory, free/10*9), nil
}

// checkMemory writes a pattern into the device's memory and reads it back, then the same with
// every bit inverted.
func (s *session) checkMemory(d *device) (string, error) {
	size, err := s.budget()
	if err != nil {
		return "", err
	}
	check := patternTest{session: s, words: uint64(max(size, 8) / 8)}
	if check.write, err = s.cuda.function(d.module, patternWrite); err != nil {
		return "", err
	}
	if check.compare, err = s.cuda.function(d.module, patternCheck); err != nil {
		return "", err
	}
	for _, buffer := range []struct {
		memory *memory
		words  uint64
	}{{&check.memory, check.words}, {&check.wrong, patternBlocks * patternThreads}, {&check.first, patternBlocks * patternThreads}} {
		if *buffer.memory, err = s.cuda.allocate(int64(buffer.words) * 8); err != nil {
			return "", err
		}
	}
	for _, flip := range []uint64{0, ^uint64(0)} {
		if err := check.pass(flip); err != nil {
			return "", err
		}
	}
	for _, buffer := range []memory{check.memory, check.wrong, check.first} {
		if err := buffer.free(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d bytes, every bit as 0 and as 1, none wrong", check.words*8), nil
}

// patternTest is one test of some memory.
type patternTest struct {
	*session
	write, compare uint64
	words          uint64
	memory         memory
	// wrong and first have a word for each thread: how many words differ, and the first of them.
	wrong, first memory
}

func (t *patternTest) pass(flip uint64) error {
	g, s := grid{patternBlocks, 1, patternThreads, 1}, uint64(seed)
	if err := t.cuda.launch(t.write, g, unsafe.Pointer(&t.memory.address), unsafe.Pointer(&t.words), unsafe.Pointer(&s), unsafe.Pointer(&flip)); err != nil {
		return err
	}
	if err := t.cuda.launch(t.compare, g, unsafe.Pointer(&t.memory.address), unsafe.Pointer(&t.words), unsafe.Pointer(&s), unsafe.Pointer(&flip),
		unsafe.Pointer(&t.wrong.address), unsafe.Pointer(&t.first.address)); err != nil {
		return err
	}
	counts, places := make([]uint64, patternBlocks*patternThreads), make([]uint64, patternBlocks*patternThreads)
	if err := download(counts, t.wrong, 0); err != nil {
		return err
	}
	if err := download(places, t.first, 0); err != nil {
		return err
	}
	if count, place := firstOf(counts, places); count > 0 {
		return t.bad(count, place, flip)
	}
	return t.compareHere(flip)
}

// firstOf adds up what the threads found, and finds the lowest place.
func firstOf(counts, places []uint64) (count, place uint64) {
	for i, wrong := range counts {
		if wrong > 0 && (count == 0 || places[i] < place) {
			place = places[i]
		}
		count += wrong
	}
	return count, place
}

// compareHere compares the last piece of the memory on the host.
func (t *patternTest) compareHere(flip uint64) error {
	n := min(t.words, piece)
	from, content := t.words-n, make([]uint64, n)
	if err := download(content, t.memory, int64(from)*8); err != nil {
		return err
	}
	for i, found := range content {
		if found != word(from+uint64(i), seed, flip) {
			return t.bad(1, from+uint64(i), flip)
		}
	}
	return nil
}

// bad says what stands at the first wrong place.
func (t *patternTest) bad(count, place, flip uint64) error {
	found, want := make([]uint64, 1), word(place, seed, flip)
	if err := download(found, t.memory, int64(place)*8); err != nil {
		return err
	}
	what := fmt.Sprintf("reads %#016x instead of %#016x", found[0], want)
	if found[0] == want {
		what = "was wrong, and is right when read again"
	}
	return &probe.Trouble{Kind: probe.BadMemory, Message: fmt.Sprintf("the device's memory loses data: at least %d of %d words differ from what was written; the word at byte %d of the test %s. "+
		"Drain the node, look for Xid 48, 63 and 64 in its kernel log (dmesg), see `nvidia-smi -q -d ECC,ROW_REMAPPER`, reset the GPU, and have it replaced if it comes back", count, t.words, place*8, what)}
}
