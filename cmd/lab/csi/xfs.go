package csi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// minBytes is the smallest XFS filesystem that mkfs.xfs makes since xfsprogs 5.19 (300 MB).
const minBytes = 300 << 20

// Requests of linux/fs.h that freeze and thaw a mounted filesystem.
const (
	fiFreeze = 0xC0045877
	fiThaw   = 0xC0045878
)

// superblock is the part of XFS's that we use (xfs_dsb in fs/xfs/libxfs/xfs_format.h).
type superblock struct {
	blockBytes int64
	blocks     int64
	inProgress bool // mkfs has not come to its end
}

// bytes is the size of the filesystem.
func (s *superblock) bytes() int64 { return s.blockBytes * s.blocks }

// readSuperblock returns the superblock of the image, nil if it holds no XFS.
func readSuperblock(image string) (*superblock, error) {
	f, err := os.Open(image)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 256)
	if _, err := io.ReadFull(f, buf); err != nil {
		return nil, fmt.Errorf("superblock of %s: %w", image, err)
	}
	return parseSuperblock(buf), nil
}

func parseSuperblock(buf []byte) *superblock {
	if len(buf) < 127 || string(buf[:4]) != "XFSB" {
		return nil
	}
	return &superblock{
		blockBytes: int64(binary.BigEndian.Uint32(buf[4:])),
		blocks:     int64(binary.BigEndian.Uint64(buf[8:])),
		inProgress: buf[126] != 0,
	}
}

// format makes an XFS of that many bytes in the image, over whatever is there.
func format(ctx context.Context, image string, bytes int64) error {
	// No discard (-K): the image is sparse already.
	return tool(ctx, "mkfs.xfs", "-q", "-f", "-K", "-d", "size="+strconv.FormatInt(bytes/4096, 10)+"b", image)
}

// grow makes the mounted filesystem as large as its device.
func grow(ctx context.Context, mountpoint string) error {
	return tool(ctx, "xfs_growfs", "-d", mountpoint)
}

// tool runs one of xfsprogs' programs and returns what it complained of.
func tool(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed: install the Debian packages xfsprogs and bindfs", name)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// freeze flushes the filesystem and holds off writers until thaw is called.
func freeze(mountpoint string) (thaw func() error, err error) {
	dir, err := os.Open(mountpoint)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlSetInt(int(dir.Fd()), fiFreeze, 0); err != nil {
		dir.Close()
		return nil, fmt.Errorf("freeze %s: %w", mountpoint, err)
	}
	return func() error {
		defer dir.Close()
		return unix.IoctlSetInt(int(dir.Fd()), fiThaw, 0)
	}, nil
}

// thawLeftover thaws what a killed process left frozen. Nothing else could: every writer
// to such a filesystem waits for ever.
func thawLeftover(mountpoint string) error {
	dir, err := os.Open(mountpoint)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = unix.IoctlSetInt(int(dir.Fd()), fiThaw, 0)
	if errors.Is(err, unix.EINVAL) { // it is not frozen
		return nil
	}
	return err
}
