package storage

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/minio/minio-go/v7"
)

// versioned makes the bucket keep versions.
func (s *objectStore) versioned(t *testing.T) {
	t.Helper()
	settings := gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled}
	if err := s.backend.(gofakes3.VersionedBackend).SetVersioningConfiguration("ours", settings); err != nil {
		t.Fatal(err)
	}
}

func (s *objectStore) left(t *testing.T, b bucket) []minio.ObjectInfo {
	t.Helper()
	s.fault = ""
	all, err := b.objects(t.Context(), minio.ListObjectsOptions{Recursive: true, WithVersions: true}, 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVersionsAreRemovedOrTold(t *testing.T) {
	for fault, words := range map[string]string{"": "", "keeping": "delete a version of conformance/run/parts", "silent": "marks of deletion stay"} {
		t.Run("fault "+fault, func(t *testing.T) {
			store := newObjectStore(t, fault)
			store.versioned(t)
			b := store.open(t, "ours")
			f, kept := roundTrip(t.Context(), b, "conformance/run/")
			if f != nil {
				t.Fatal(f)
			}
			if words == "" && kept != nil || words != "" && (kept == nil || !strings.Contains(kept.Error(), words)) {
				t.Errorf("got %v, want %q", kept, words)
			}
			if left := store.left(t, b); (len(left) > 0) != (words != "") {
				t.Errorf("left: %+v", left)
			}
		})
	}
}

func TestOldObjectsAreRemoved(t *testing.T) {
	for _, versions := range []bool{false, true} {
		store := newObjectStore(t, "")
		if versions {
			store.versioned(t)
		}
		b := store.open(t, "ours")
		ours := ourPrefix + "killed/" + wholeName
		for _, key := range []string{ours, ourPrefix + "report.pdf", ourPrefix + "a/b/" + partsName, "whole object"} {
			if _, err := b.put(t.Context(), key, []byte("text")); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now()
		if removed := removeOldObjects(t.Context(), b, now.Add(abandonedAfter-time.Hour)); len(removed) > 0 {
			t.Errorf("removed too early: %v", removed)
		}
		if removed := removeOldObjects(t.Context(), b, now.Add(abandonedAfter+time.Hour)); !slices.Equal(removed, []string{ours}) {
			t.Errorf("removed %v", removed)
		}
		if left := store.left(t, b); len(left) != 3 {
			t.Errorf("left: %+v", left)
		}
	}
}

func TestUnfinishedUploadsAreRemoved(t *testing.T) {
	store := newObjectStore(t, "")
	b := store.open(t, "ours")
	key := ourPrefix + "killed/" + partsName
	id, err := b.store.NewMultipartUpload(t.Context(), b.name, key, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.PutObjectPart(t.Context(), b.name, key, id, 1, io.Reader(bytes.NewReader([]byte("x"))), 1, minio.PutObjectPartOptions{}); err != nil {
		t.Fatal(err)
	}
	if removed := removeOldObjects(t.Context(), b, time.Now().Add(abandonedAfter+time.Hour)); !slices.Equal(removed, []string{key + " (unfinished)"}) {
		t.Errorf("removed %v", removed)
	}
	store.wantEmpty(t, b)
}
