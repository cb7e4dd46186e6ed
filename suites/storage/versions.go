package storage

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// abandonedAfter is the age at which an object can be no running run's any more.
	abandonedAfter = 6 * time.Hour
	// mostOld bounds how many old objects one run looks at.
	mostOld = 1000
	// nullVersion is what a bucket that keeps no versions calls the only one
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html).
	nullVersion = "null"
)

// ourKeys are the keys of runs' objects, and of nothing else below ourPrefix.
var ourKeys = regexp.MustCompile(`^` + ourPrefix + `[^/]+/(` + wholeName + `|` + partsName + `)$`)

// removeVersions ends what deletion leaves in a bucket that keeps versions: the versions
// themselves, and the marks of their deletion. known are the versions that were put, by their
// keys. Its error says why some remain; it is nil for a bucket without versions.
func removeVersions(ctx context.Context, b bucket, prefix string, known map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	versions, unlisted := b.objects(ctx, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}, mostOld)
	var trouble error
	if unlisted != nil {
		for key, id := range known {
			if id != "" {
				versions = append(versions, minio.ObjectInfo{Key: key, VersionID: id})
				trouble = fmt.Errorf("the marks of deletion stay, for versions cannot be listed: %w", unlisted)
			}
		}
	}
	for _, version := range versions {
		if err := b.deleteVersion(ctx, version); err != nil {
			trouble = errors.Join(trouble, fmt.Errorf("delete a version of %s: %w", version.Key, err))
		}
	}
	return trouble
}

// deleteVersion removes one version of an object, or the mark of its deletion.
func (b bucket) deleteVersion(ctx context.Context, version minio.ObjectInfo) error {
	id := version.VersionID
	if id == nullVersion && !version.IsDeleteMarker {
		// To delete the only version takes no more than the right to delete objects.
		id = ""
	}
	return refused(b.store.RemoveObject(ctx, b.name, version.Key, minio.RemoveObjectOptions{VersionID: id}))
}

// removeOldObjects deletes what killed runs left in the bucket, unfinished uploads included,
// and returns the keys. It is no fault of today's object store if that does not work.
func removeOldObjects(ctx context.Context, b bucket, now time.Time) []string {
	ctx, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	options := minio.ListObjectsOptions{Prefix: ourPrefix, Recursive: true, WithVersions: true}
	objects, err := b.objects(ctx, options, mostOld)
	if err != nil {
		options.WithVersions = false
		objects, _ = b.objects(ctx, options, mostOld)
	}
	var removed []string
	for _, object := range objects {
		if abandoned(object.Key, object.LastModified, now) && b.deleteVersion(ctx, object) == nil {
			removed = append(removed, object.Key)
		}
	}
	for upload := range b.store.ListIncompleteUploads(ctx, b.name, ourPrefix, true) {
		if upload.Err != nil {
			break
		}
		if abandoned(upload.Key, upload.Initiated, now) && b.store.AbortMultipartUpload(ctx, b.name, upload.Key, upload.UploadID) == nil {
			removed = append(removed, upload.Key+" (unfinished)")
		}
	}
	return removed
}

func abandoned(key string, made, now time.Time) bool {
	return ourKeys.MatchString(key) && !made.IsZero() && now.Sub(made) > abandonedAfter
}
