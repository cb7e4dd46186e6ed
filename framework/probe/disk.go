package probe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	mebibyte = 1 << 20
	// syncRounds is how many small synced writes the latency is measured by.
	syncRounds = 100
	// syncTime bounds that measurement on slow volumes.
	syncTime = 10 * time.Second
	// syncBlock is a database page, in bytes.
	syncBlock = 4096
	// growPoll is how often the size of a growing filesystem is looked at: the kernel tells
	// nobody when it changes.
	growPoll = 200 * time.Millisecond
)

// DiskOptions say what to do with a volume. The same Seed and MiB make the same data, so
// that a later pod knows what it must find.
type DiskOptions struct {
	// Dir is where the volume is mounted.
	Dir string
	// File is the data file's name in Dir, "conformance-data" if empty.
	File string
	MiB  int
	Seed uint64
	// GrowBy is by how many bytes the claim grows meanwhile; with 0 nothing is waited for.
	GrowBy int64
	// GrowFrom is the filesystem's size in bytes before that, as an earlier pod saw it: the
	// growth may be over before this one looks. With 0 it is what this one sees first.
	GrowFrom int64
	GrowWait time.Duration
}

// Args returns the arguments with which cmd/probe does the same: "write" or "verify".
func (o DiskOptions) Args(action string) []string {
	args := []string{"disk", action, "--dir=" + o.Dir, "--mib=" + strconv.Itoa(o.MiB), "--seed=" + strconv.FormatUint(o.Seed, 10)}
	if o.File != "" {
		args = append(args, "--file="+o.File)
	}
	if o.GrowBy > 0 {
		args = append(args, fmt.Sprintf("--grow-by=%d", o.GrowBy), fmt.Sprintf("--grow-from=%d", o.GrowFrom), "--grow-wait="+o.GrowWait.String())
	}
	return args
}

func (o DiskOptions) path() string {
	if o.File == "" {
		return filepath.Join(o.Dir, "conformance-data")
	}
	return filepath.Join(o.Dir, o.File)
}

// DiskResult is what was seen of a volume.
type DiskResult struct {
	Volume Volume `json:"volume"`
	// UID and Groups are the process's.
	UID    int   `json:"uid"`
	Groups []int `json:"groups,omitempty"`
	// Written and Verified hold what was done; nil if it was not come to.
	Written  *Written  `json:"written,omitempty"`
	Verified *Verified `json:"verified,omitempty"`
	Grown    *Grown    `json:"grown,omitempty"`
	// Trouble is what ended the measurement early, Step where.
	Trouble *Trouble `json:"trouble,omitempty"`
	Step    string   `json:"step,omitempty"`
}

// Written is a file that was written and synced.
type Written struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// MiBPerSecond includes the final fsync.
	MiBPerSecond float64 `json:"mibPerSecond"`
	// SyncP50, SyncP99 and SyncMax are milliseconds for a 4 KiB write and its fsync.
	SyncP50 float64 `json:"syncP50"`
	SyncP99 float64 `json:"syncP99"`
	SyncMax float64 `json:"syncMax"`
	Syncs   int     `json:"syncs"`
	// UID and GID are the new file's owners.
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// Verified is a file that was read back.
type Verified struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	// Match says that the file holds exactly the bytes that Seed and MiB make.
	Match bool `json:"match"`
	// FirstWrong is the offset of the first wrong MiB, -1 if there is none.
	FirstWrong   int64   `json:"firstWrong"`
	MiBPerSecond float64 `json:"mibPerSecond"`
}

// Grown is a filesystem that was watched while its claim was expanded.
type Grown struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// OK says that it became larger by at least half of what was asked for: a filesystem
	// keeps a part of its device for itself.
	OK bool `json:"ok"`
	// Seconds is how long that took.
	Seconds float64 `json:"seconds"`
	// Intact says that the data read after it are those written before.
	Intact bool `json:"intact"`
}

// DiskWrite writes and syncs a file of pseudo-random data, measures small synced writes, and,
// if asked, waits for the filesystem to grow and reads the data again. When ctx ends it
// returns what it has.
func DiskWrite(ctx context.Context, o DiskOptions) DiskResult {
	return disk(ctx, o, func(result *DiskResult) error {
		var err error
		result.Written, err = write(ctx, o)
		return err
	})
}

// DiskVerify reads the file that DiskWrite wrote with the same options and compares every
// byte. A missing or changed file is a result, not an error.
func DiskVerify(ctx context.Context, o DiskOptions) DiskResult {
	return disk(ctx, o, func(result *DiskResult) error {
		var err error
		result.Verified, err = verify(ctx, o)
		return err
	})
}

func disk(ctx context.Context, o DiskOptions, first func(*DiskResult) error) DiskResult {
	result := DiskResult{UID: os.Getuid()}
	result.Groups, _ = os.Getgroups()
	fail := func(step string, err error) DiskResult {
		result.Step, result.Trouble = step, troubleOf(err)
		return result
	}
	var err error
	if result.Volume, err = volumeOf(o.Dir); err != nil {
		return fail("look at the volume", err)
	}
	if err := first(&result); err != nil {
		return fail("write or read the data", err)
	}
	if o.GrowBy == 0 {
		return result
	}
	if result.Grown, err = grow(ctx, o, cmp.Or(o.GrowFrom, result.Volume.Total)); err != nil {
		return fail("see the volume grow", err)
	}
	again, err := verify(ctx, o)
	if err != nil {
		return fail("read the data after the growth", err)
	}
	result.Grown.Intact = again.Match
	return result
}

// chunks calls each with the MiB-sized blocks of the data that o makes.
func chunks(ctx context.Context, o DiskOptions, each func(block []byte) error) error {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], o.Seed)
	source := rand.NewChaCha8(key)
	block := make([]byte, mebibyte)
	for range o.MiB {
		if err := ctx.Err(); err != nil {
			return stopped(err)
		}
		if _, err := source.Read(block); err != nil {
			return err
		}
		if err := each(block); err != nil {
			return err
		}
	}
	return nil
}

func write(ctx context.Context, o DiskOptions) (*Written, error) {
	file, err := os.OpenFile(o.path(), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o664)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	result := &Written{}
	sum := sha256.New()
	started := time.Now()
	err = chunks(ctx, o, func(block []byte) error {
		sum.Write(block)
		n, err := file.Write(block)
		result.Bytes += int64(n)
		return err
	})
	if err != nil {
		return result, err
	}
	if err := file.Sync(); err != nil {
		return result, err
	}
	result.MiBPerSecond = rate(result.Bytes, time.Since(started))
	result.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if info, err := file.Stat(); err == nil {
		if status, ok := info.Sys().(*syscall.Stat_t); ok {
			result.UID, result.GID = int(status.Uid), int(status.Gid)
		}
	}
	if err := syncs(ctx, o, result); err != nil {
		return result, err
	}
	return result, syncDir(o.Dir)
}

// syncs measures what a database waits for: a small write that is on stable storage.
func syncs(ctx context.Context, o DiskOptions, result *Written) error {
	path := o.path() + ".sync"
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o664)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer file.Close()
	var took []time.Duration
	page := make([]byte, syncBlock)
	for end := time.Now().Add(syncTime); len(took) < syncRounds && time.Now().Before(end) && ctx.Err() == nil; {
		started := time.Now()
		if _, err := file.WriteAt(page, int64(len(took)%8)*syncBlock); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
		took = append(took, time.Since(started))
	}
	if result.Syncs = len(took); result.Syncs == 0 {
		return stopped(ctx.Err())
	}
	slices.Sort(took)
	result.SyncP50 = milliseconds(took[len(took)/2])
	result.SyncP99 = milliseconds(took[min(len(took)*99/100, len(took)-1)])
	result.SyncMax = milliseconds(took[len(took)-1])
	return nil
}

func verify(ctx context.Context, o DiskOptions) (*Verified, error) {
	file, err := os.Open(o.path())
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// What this node still holds in memory proves nothing about the volume.
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
	result := &Verified{FirstWrong: -1}
	sum := sha256.New()
	started := time.Now()
	found := make([]byte, mebibyte)
	err = chunks(ctx, o, func(want []byte) error {
		n, err := io.ReadFull(file, found)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		sum.Write(found[:n])
		if result.FirstWrong < 0 && !slices.Equal(found[:n], want) {
			result.FirstWrong = result.Bytes
		}
		result.Bytes += int64(n)
		return nil
	})
	if err != nil {
		return result, err
	}
	if extra, _ := io.Copy(hashOnly{sum}, file); extra > 0 && result.FirstWrong < 0 {
		result.FirstWrong = result.Bytes
		result.Bytes += extra
	}
	result.MiBPerSecond = rate(result.Bytes, time.Since(started))
	result.SHA256 = hex.EncodeToString(sum.Sum(nil))
	result.Match = result.FirstWrong < 0
	return result, nil
}

// hashOnly hides all but Write from io.Copy.
type hashOnly struct{ hash.Hash }

// grow waits until the filesystem is larger than it was.
func grow(ctx context.Context, o DiskOptions, before int64) (*Grown, error) {
	ctx, cancel := context.WithTimeout(ctx, max(o.GrowWait, growPoll))
	defer cancel()
	result := &Grown{From: before, To: before}
	enough := before + o.GrowBy/2
	started := time.Now()
	ticker := time.NewTicker(growPoll)
	defer ticker.Stop()
	for {
		now, err := volumeOf(o.Dir)
		if err != nil {
			return result, err
		}
		result.To, result.OK = now.Total, now.Total >= enough
		result.Seconds = time.Since(started).Round(time.Millisecond).Seconds()
		if result.OK {
			return result, nil
		}
		select {
		case <-ctx.Done():
			return result, nil // not grown: a result
		case <-ticker.C:
		}
	}
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	// Some network filesystems refuse to sync a folder, and need not.
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EOPNOTSUPP) {
		return err
	}
	return nil
}

func rate(bytes int64, took time.Duration) float64 {
	perSecond := float64(bytes) / mebibyte / max(took.Seconds(), 1e-6)
	return float64(int64(perSecond*10)) / 10
}

// stopped is the Trouble of a measurement that was told to end.
func stopped(cause error) error {
	if cause == nil {
		return nil
	}
	return &Trouble{Kind: Stopped, Message: cause.Error()}
}
