package registry

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// A program for the throwaway image that needs nothing: no libc, no loader, no kernel
// newer than any node's. It asks the kernel to end it with status 0.
var exitCode = map[string]struct {
	machine elf.Machine
	code    []byte
}{
	"amd64": {elf.EM_X86_64, []byte{
		0x31, 0xff, // xor edi, edi: the status
		0xb8, 0xe7, 0x00, 0x00, 0x00, // mov eax, 231: exit_group
		0x0f, 0x05, // syscall
	}},
	"arm64": {elf.EM_AARCH64, []byte{
		0x00, 0x00, 0x80, 0xd2, // mov x0, #0: the status
		0xc8, 0x0b, 0x80, 0xd2, // mov x8, #94: exit_group
		0x01, 0x00, 0x00, 0xd4, // svc #0
	}},
}

const (
	// loadAddress is where linkers put programs too.
	loadAddress = 0x400000
	// pageSize is the largest page of the two architectures, so that every kernel maps the
	// segment.
	pageSize = 0x10000
)

// exitProgram returns a static ELF executable for linux on the architecture, which ends at
// once with status 0. The file is one loadable segment: its own headers and the code
// (ELF-64 Object File Format, version 1.5, chapters 3 and 8).
func exitProgram(architecture string) []byte {
	program := exitCode[architecture]
	const headers = 64 + 56 // elf.Header64 and elf.Prog64
	size := uint64(headers + len(program.code))
	file := elf.Header64{
		Ident:     [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:      uint16(elf.ET_EXEC),
		Machine:   uint16(program.machine),
		Version:   uint32(elf.EV_CURRENT),
		Entry:     loadAddress + headers,
		Phoff:     64,
		Ehsize:    64,
		Phentsize: 56,
		Phnum:     1,
	}
	segment := elf.Prog64{
		Type:   uint32(elf.PT_LOAD),
		Flags:  uint32(elf.PF_R | elf.PF_X),
		Vaddr:  loadAddress,
		Paddr:  loadAddress,
		Filesz: size,
		Memsz:  size,
		Align:  pageSize,
	}
	var out bytes.Buffer
	for _, part := range []any{file, segment, program.code} {
		// Values of fixed size into memory: this cannot fail.
		_ = binary.Write(&out, binary.LittleEndian, part)
	}
	return out.Bytes()
}
