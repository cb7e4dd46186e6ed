package csi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copySparse copies the image and keeps its holes. The kernel shares the blocks where the
// filesystem below can (copy_file_range).
func copySparse(ctx context.Context, from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := dst.Truncate(info.Size()); err != nil {
		return err
	}
	for offset := int64(0); offset < info.Size(); {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("copy of %s stopped: %w", from, err)
		}
		start, err := unix.Seek(int(src.Fd()), offset, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // only a hole is left
			break
		}
		if err != nil {
			return fmt.Errorf("data of %s: %w", from, err)
		}
		end, err := unix.Seek(int(src.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("hole of %s: %w", from, err)
		}
		if err := copyRange(src, dst, start, end); err != nil {
			return err
		}
		offset = end
	}
	return dst.Sync()
}

// copyRange copies the bytes from start up to end to the same place.
func copyRange(src, dst *os.File, start, end int64) error {
	if _, err := src.Seek(start, io.SeekStart); err != nil {
		return err
	}
	if _, err := dst.Seek(start, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(dst, src, end-start)
	return err
}
