package probe

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helper is the environment variable that makes this test binary play one half of a pair:
// record locks belong to a process, so two halves need two.
const helper = "PROBE_TEST_PAIR"

func TestMain(m *testing.M) {
	if text := os.Getenv(helper); text != "" {
		var o PairOptions
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			panic(err)
		}
		_ = json.NewEncoder(os.Stdout).Encode(DiskPair(context.Background(), o))
		return
	}
	os.Exit(m.Run())
}

func TestWriteThenVerify(t *testing.T) {
	o := DiskOptions{Dir: t.TempDir(), MiB: 3, Seed: 42}
	wrote := DiskWrite(t.Context(), o)
	if wrote.Trouble != nil || wrote.Written.Bytes != 3*mebibyte || wrote.Written.Syncs == 0 || wrote.Written.SyncP99 < wrote.Written.SyncP50 {
		t.Fatalf("wrote %+v %+v", wrote, wrote.Written)
	}
	if wrote.Volume.Total <= 0 || wrote.Volume.Type == "" {
		t.Errorf("volume %+v", wrote.Volume)
	}
	read := DiskVerify(t.Context(), o)
	if read.Trouble != nil || !read.Verified.Match || read.Verified.SHA256 != wrote.Written.SHA256 || read.Verified.FirstWrong != -1 {
		t.Errorf("read %+v %+v", read, read.Verified)
	}
}

func TestVerifyFindsWhatChanged(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
		first  int64
	}{
		{"one byte", func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("xxxx"), mebibyte+7)
			return err
		}, mebibyte},
		{"cut off", func(path string) error { return os.Truncate(path, mebibyte/2) }, 0},
		{"empty", func(path string) error { return os.Truncate(path, 0) }, 0},
		{"grown", func(path string) error { return os.Truncate(path, 3*mebibyte) }, 2 * mebibyte},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DiskOptions{Dir: t.TempDir(), MiB: 2, Seed: 1, File: "data"}
			if wrote := DiskWrite(t.Context(), o); wrote.Trouble != nil {
				t.Fatal(wrote.Trouble)
			}
			if err := c.damage(o.path()); err != nil {
				t.Fatal(err)
			}
			read := DiskVerify(t.Context(), o)
			if read.Trouble != nil || read.Verified.Match || read.Verified.FirstWrong != c.first {
				t.Errorf("got %+v %+v, want first wrong %d", read, read.Verified, c.first)
			}
		})
	}
}

func TestOtherSeedOtherData(t *testing.T) {
	o := DiskOptions{Dir: t.TempDir(), MiB: 1, Seed: 1}
	DiskWrite(t.Context(), o)
	o.Seed = 2
	if read := DiskVerify(t.Context(), o); read.Verified.Match {
		t.Error("another run's data were taken for this one's")
	}
}

func TestDiskTrouble(t *testing.T) {
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	root := os.Getuid() == 0
	for _, c := range []struct {
		name string
		skip bool
		run  func() DiskResult
		kind string
	}{
		{"data lost", false, func() DiskResult { return DiskVerify(t.Context(), DiskOptions{Dir: t.TempDir(), MiB: 1}) }, Missing},
		{"no such folder", false, func() DiskResult {
			return DiskWrite(t.Context(), DiskOptions{Dir: filepath.Join(closed, "none"), MiB: 1})
		}, Missing},
		{"not allowed", root, func() DiskResult { return DiskWrite(t.Context(), DiskOptions{Dir: closed, MiB: 1}) }, Denied},
		{"full", !root, func() DiskResult { return DiskWrite(t.Context(), DiskOptions{Dir: tmpfs(t, "size=1m"), MiB: 2}) }, NoSpace},
		{"mounted read-only", !root, func() DiskResult { return DiskWrite(t.Context(), DiskOptions{Dir: tmpfs(t, "ro"), MiB: 1}) }, ReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.skip {
				t.Skip("needs another user than this one")
			}
			result := c.run()
			if result.Trouble == nil || c.kind != "" && result.Trouble.Kind != c.kind {
				t.Errorf("got %+v, want %q", result.Trouble, c.kind)
			}
		})
	}
}

// tmpfs mounts a small filesystem, where the machine lets root do so.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	flags := uintptr(0)
	if options == "ro" {
		flags, options = syscall.MS_RDONLY, ""
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestGrowth(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a filesystem of its own")
	}
	dir := tmpfs(t, "size=8m")
	go func() {
		time.Sleep(300 * time.Millisecond) // as the cluster does, meanwhile
		_ = syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m")
	}()
	result := DiskWrite(t.Context(), DiskOptions{Dir: dir, MiB: 1, GrowBy: 8 << 20, GrowWait: 10 * time.Second})
	if result.Trouble != nil || result.Grown == nil || !result.Grown.OK || !result.Grown.Intact || result.Grown.To != 16<<20 {
		t.Errorf("got %+v %+v", result, result.Grown)
	}
	result = DiskWrite(t.Context(), DiskOptions{Dir: dir, MiB: 1, GrowBy: 16 << 20, GrowWait: 300 * time.Millisecond})
	if result.Trouble != nil || result.Grown.OK || !result.Grown.Intact {
		t.Errorf("a filesystem that did not grow: %+v %+v", result, result.Grown)
	}
	result = DiskVerify(t.Context(), DiskOptions{Dir: dir, MiB: 1, GrowBy: 8 << 20, GrowFrom: 8 << 20, GrowWait: time.Minute})
	if g := result.Grown; g == nil || !g.OK || !g.Intact || g.From != 8<<20 || g.To != 16<<20 {
		t.Errorf("a filesystem that grew before the pod looked: %+v %+v", result, g)
	}
}

func TestStoppedWriteSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	result := DiskWrite(ctx, DiskOptions{Dir: t.TempDir(), MiB: 1})
	if result.Trouble == nil || result.Trouble.Kind != Stopped || result.Volume.Total == 0 {
		t.Errorf("got %+v", result)
	}
}

// half starts one half of a pair in a process of its own.
func startHalf(t *testing.T, o PairOptions) func() PairResult {
	t.Helper()
	text, _ := json.Marshal(o)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), helper+"="+string(text))
	var out strings.Builder
	command.Stdout, command.Stderr = &out, os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return func() PairResult {
		if err := command.Wait(); err != nil {
			t.Fatal(err)
		}
		result, err := Decode[PairResult]([]byte(out.String()))
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
}

func TestPairOnOneVolume(t *testing.T) {
	dir := t.TempDir()
	a := startHalf(t, PairOptions{Dir: dir, Name: "a", Session: "s1", Wait: 10 * time.Second})
	b := startHalf(t, PairOptions{Dir: dir, Name: "b", Session: "s1", Wait: 10 * time.Second})
	for _, result := range []PairResult{a(), b()} {
		if result.Trouble != nil || !result.Met || !result.Shared || result.Locks != (Locks{true, true, true}) {
			t.Errorf("got %+v (%v)", result, result.Trouble)
		}
	}
}

func TestPairOnTwoVolumes(t *testing.T) {
	a := startHalf(t, PairOptions{Dir: t.TempDir(), Name: "a", Session: "s1", Wait: 500 * time.Millisecond})
	b := startHalf(t, PairOptions{Dir: t.TempDir(), Name: "b", Session: "s1", Wait: 500 * time.Millisecond})
	for _, result := range []PairResult{a(), b()} {
		if result.Met || result.Shared || result.Trouble == nil || result.Trouble.Kind != Timeout || result.Step != "meet the other pod's file" {
			t.Errorf("got %+v (%v)", result, result.Trouble)
		}
	}
}

// Two halves in one process share its record locks, as two nodes do whose filesystem keeps
// locks to itself.
func TestPairWhoseLocksAreNotHonoured(t *testing.T) {
	dir := t.TempDir()
	o := PairOptions{Dir: dir, Session: "s1", Wait: 10 * time.Second}
	a, b := o, o
	a.Name, b.Name = "a", "b"
	first := make(chan PairResult)
	go func() { first <- DiskPair(context.Background(), a) }()
	for _, result := range []PairResult{DiskPair(t.Context(), b), <-first} {
		if !result.Shared || !result.LockTaken || result.LockHonoured {
			t.Errorf("got %+v (%v)", result, result.Trouble)
		}
	}
}

func TestArgsSayTheSame(t *testing.T) {
	got := DiskOptions{Dir: "/data", MiB: 4, Seed: 7, GrowBy: 2, GrowFrom: 1, GrowWait: time.Minute}.Args("write")
	want := []string{"disk", "write", "--dir=/data", "--mib=4", "--seed=7", "--grow-by=2", "--grow-from=1", "--grow-wait=1m0s"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}
