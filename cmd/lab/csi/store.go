package csi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// volume is what is remembered of a volume beside its image.
type volume struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Bytes   int64     `json:"bytes"`
	Created time.Time `json:"created"`
	// FromSnapshot and FromVolume name the content source, at most one of them is set.
	FromSnapshot string `json:"fromSnapshot,omitempty"`
	FromVolume   string `json:"fromVolume,omitempty"`
}

// snapshot is what is remembered of a snapshot beside its image.
type snapshot struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	VolumeID string    `json:"volumeID"`
	Bytes    int64     `json:"bytes"`
	Created  time.Time `json:"created"`
}

// store keeps volumes and snapshots as directories: STATE/volumes/ID/{volume.json,disk.img,
// staged/NODE}, STATE/snapshots/ID/{snapshot.json,disk.img}. A directory appears and
// disappears by rename, so that a killed process leaves all of it or nothing. What is
// mounted is in STATE/mounts, apart from what is deleted.
type store struct{ dir string }

const (
	volumesDir   = "volumes"
	snapshotsDir = "snapshots"
	imageFile    = "disk.img"
)

var validID = regexp.MustCompile(`^(vol|snap)-[0-9a-f]{24}$`)

func openStore(dir string) (*store, error) {
	for _, sub := range []string{volumesDir, snapshotsDir, "locks"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("state directory of the CSI driver: %w", err)
		}
	}
	// The kernel reports backing files by their real path: compare with the same.
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory of the CSI driver: %w", err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, fmt.Errorf("state directory of the CSI driver: %w", err)
	}
	return &store{dir: real}, nil
}

// idFor derives the ID from the name that the caller chose, which makes creation idempotent
// without a search.
func idFor(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s-%x", prefix, sum[:12])
}

func (s *store) volumeDir(id string) string   { return filepath.Join(s.dir, volumesDir, id) }
func (s *store) snapshotDir(id string) string { return filepath.Join(s.dir, snapshotsDir, id) }
func (s *store) image(id string) string       { return filepath.Join(s.volumeDir(id), imageFile) }

// volume returns the volume with that ID, or a NOT_FOUND status.
func (s *store) volume(id string) (*volume, error) {
	var v volume
	if err := s.load(id, filepath.Join(s.volumeDir(id), "volume.json"), "volume", &v); err != nil {
		return nil, err
	}
	return &v, nil
}

// snapshot returns the snapshot with that ID, or a NOT_FOUND status.
func (s *store) snapshot(id string) (*snapshot, error) {
	var v snapshot
	if err := s.load(id, filepath.Join(s.snapshotDir(id), "snapshot.json"), "snapshot", &v); err != nil {
		return nil, err
	}
	return &v, nil
}

func (s *store) load(id, path, what string, into any) error {
	if !validID.MatchString(id) {
		return status.Errorf(codes.NotFound, "%s %q does not exist", what, id)
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return status.Errorf(codes.NotFound, "%s %q does not exist", what, id)
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return status.Errorf(codes.Internal, "%s %q cannot be read: %v", what, id, err)
	}
	return nil
}

// create makes the directory with its metadata and lets fill write the image, all of it
// visible at once.
func (s *store) create(dir, metadata string, value any, fill func(image string) error) error {
	draft := filepath.Join(filepath.Dir(dir), ".new-"+filepath.Base(dir))
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	if err := os.Mkdir(draft, 0o700); err != nil {
		return err
	}
	err := fill(filepath.Join(draft, imageFile))
	if err == nil {
		err = writeJSON(filepath.Join(draft, metadata), value)
	}
	if err == nil {
		err = os.Rename(draft, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(draft))
	}
	return nil
}

// remove deletes the directory; one that is not there is fine.
func (s *store) remove(dir string) error {
	gone := filepath.Join(filepath.Dir(dir), ".gone-"+filepath.Base(dir))
	if err := os.Rename(dir, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(gone)
}

// volumes returns all volumes sorted by ID.
func (s *store) volumes() ([]*volume, error) { return list(s.dir, volumesDir, s.volume) }

// snapshots returns all snapshots sorted by ID.
func (s *store) snapshots() ([]*snapshot, error) { return list(s.dir, snapshotsDir, s.snapshot) }

func list[T any](dir, sub string, load func(string) (*T, error)) ([]*T, error) {
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil {
		return nil, err
	}
	var all []*T
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		v, err := load(e.Name())
		if status.Code(err) == codes.NotFound { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// writeJSON replaces the file at once.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	draft := path + ".new"
	if err := os.WriteFile(draft, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// lock holds off other calls for the same name, in this process and in the others of the
// driver, until unlock is called. A lock file stays: to remove one that another process
// waits for would give two holders.
func (s *store) lock(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "locks", name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "lock of %s: %v", name, err)
	}
	taken := make(chan error, 1)
	go func() { taken <- unix.Flock(int(f.Fd()), unix.LOCK_EX) }()
	select {
	case err := <-taken:
		if err != nil {
			f.Close()
			return nil, status.Errorf(codes.Internal, "lock of %s: %v", name, err)
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		go func() { <-taken; f.Close() }()
		return nil, status.Errorf(codes.Aborted, "another operation on %s is still running", name)
	}
}

// stagings returns the nodes that have the volume staged, in order.
func (s *store) stagings(id string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.volumeDir(id), "staged"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var nodes []string
	for _, e := range entries {
		nodes = append(nodes, e.Name())
	}
	return nodes, err
}

func (s *store) recordStaging(id, node string) error {
	dir := filepath.Join(s.volumeDir(id), "staged")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, node), nil, 0o600)
}

func (s *store) forgetStaging(id, node string) error {
	err := os.Remove(filepath.Join(s.volumeDir(id), "staged", node))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// used returns the sum of the sizes of all volumes, in bytes.
func (s *store) used() (int64, error) {
	all, err := s.volumes()
	if err != nil {
		return 0, err
	}
	var sum int64
	for v := range slices.Values(all) {
		sum += v.Bytes
	}
	return sum, nil
}
