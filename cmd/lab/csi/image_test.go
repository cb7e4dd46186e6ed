package csi

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseSuperblock(t *testing.T) {
	whole := make([]byte, 256)
	copy(whole, "XFSB")
	binary.BigEndian.PutUint32(whole[4:], 4096)
	binary.BigEndian.PutUint64(whole[8:], 1<<18)
	unfinished := bytes.Clone(whole)
	unfinished[126] = 1

	if sb := parseSuperblock(whole); sb == nil || sb.bytes() != 1<<30 || sb.inProgress {
		t.Errorf("whole: %+v", sb)
	}
	if sb := parseSuperblock(unfinished); sb == nil || !sb.inProgress {
		t.Errorf("unfinished: %+v", sb)
	}
	for what, b := range map[string][]byte{"zeros": make([]byte, 256), "short": []byte("XFSB")} {
		if sb := parseSuperblock(b); sb != nil {
			t.Errorf("%s: %+v", what, sb)
		}
	}
}

func TestCopyKeepsHoles(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	f, err := os.Create(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 64 << 20
	data := bytes.Repeat([]byte{7}, 1<<20)
	for _, offset := range []int64{0, 32 << 20} {
		if _, err := f.WriteAt(data, offset); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := copySparse(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the copy differs")
	}
	var st unix.Stat_t
	if err := unix.Stat(to, &st); err != nil {
		t.Fatal(err)
	}
	if used := st.Blocks * 512; used > size/2 {
		t.Errorf("the copy takes %d bytes on disk, about 2 MiB expected", used)
	}
}

func TestSplitOptions(t *testing.T) {
	flags, data := splitOptions([]string{"nouuid", "noatime", "ro", "rw", "logbufs=8"})
	if flags != unix.MS_NOATIME|unix.MS_RDONLY || data != "nouuid,logbufs=8" {
		t.Errorf("%x, %q", flags, data)
	}
}
