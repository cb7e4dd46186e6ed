package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

const (
	// objectTime bounds the whole try of an object store.
	objectTime = 2 * time.Minute
	// removeTime bounds the removal of what was put, also when the try was interrupted.
	removeTime = 20 * time.Second
	// partSize is the smallest that S3 allows for any part but the last, in bytes.
	partSize = 5 << 20
	smallObj = 64 << 10
	// ourPrefix begins the keys of all runs' objects.
	ourPrefix = "conformance/"
	wholeName = "whole object"
	partsName = "parts"
)

// tryObjectStore tries the answered bucket with objects of the run's own, and removes them.
func tryObjectStore(ctx context.Context, a answers.StorageClass) {
	check.Require("storageClass.s3.endpoint", "storageClass.s3.bucket", "storageClass.s3.otherBucket", "storageClass.s3.accessKey", "storageClass.s3.secretKey")
	if check.ReadOnly() {
		check.Undecided("an object that is put comes back", "--read-only forbids putting one", "", "run it again without --read-only")
	}
	bucket, err := openBucket(a.S3, check.Secret(ctx, a.S3.AccessKey), check.Secret(ctx, a.S3.SecretKey), check.UserAgent(),
		check.Answers().Runner.Proxies, a.S3.CAFile, check.Answers().Certificates.CAFile)
	if err != nil {
		check.Undecided("answers that lead to a bucket", err.Error(), "an answer below storageClass.s3, or certificates.caFile, has a slip", "correct it")
	}
	ctx, cancel := context.WithTimeout(ctx, objectTime)
	defer cancel()
	check.Step("put, get, list and delete objects in bucket %s", bucket.name)
	check.Evidence("endpoint", a.S3.Endpoint)
	check.Evidence("bucket", bucket.name)
	prefix := ourPrefix + check.Settings().RunID + "/"
	f, kept := roundTrip(ctx, bucket, prefix)
	if kept != nil {
		check.Warn("old versions of the run's objects remain below "+prefix+" in bucket "+bucket.name+": "+kept.Error(),
			"the bucket keeps versions, and the user may not list or delete them (s3:ListBucketVersions, s3:DeleteObjectVersion), or they are locked",
			"let a lifecycle rule of the bucket end noncurrent versions below "+ourPrefix+", or delete them by hand")
	}
	if f != nil {
		check.NoError(f, "try the bucket")
	}
	check.Evidence("found there", "an object store that keeps, lists and deletes objects by the S3 API")
	if removed := removeOldObjects(ctx, bucket, time.Now()); len(removed) > 0 {
		check.Evidence("removed from killed runs", removed)
	}
	check.Step("try to reach bucket %s", a.S3.OtherBucket)
	if f := outOfReach(ctx, bucket, a.S3.OtherBucket); f != nil {
		check.NoError(f, "try another bucket")
	}
	check.Evidence("another bucket", "refused")
}

// roundTrip puts objects with the prefix into the bucket, at once and in parts, gets, lists
// and deletes them. A finding says so where that leaves objects; kept says why old versions
// of them remain, in a bucket that keeps versions.
func roundTrip(ctx context.Context, b bucket, prefix string) (f *finding.Finding, kept error) {
	objects := map[string][]byte{prefix + wholeName: make([]byte, smallObj), prefix + partsName: make([]byte, partSize+smallObj)}
	for _, body := range objects {
		rand.Read(body)
	}
	keys := slices.Sorted(maps.Keys(objects))
	stored := false
	versions := map[string]string{}
	defer func() {
		trouble := removeObjects(ctx, b, keys)
		kept = removeVersions(ctx, b, prefix, versions)
		if f == nil {
			f = trouble
		} else if stored && trouble != nil {
			f.Found += "; objects may be left below " + prefix + ": " + trouble.Found
		}
	}()
	whole, parts := keys[1], keys[0]
	var err error
	if versions[whole], err = b.put(ctx, whole, objects[whole]); err != nil {
		return objectTrouble("an object can be put into the bucket", "put "+whole, err), nil
	}
	stored = true
	if versions[parts], err = b.putParts(ctx, parts, objects[parts][:partSize], objects[parts][partSize:]); err != nil {
		return objectTrouble("an object can be uploaded in parts", parts, err), nil
	}
	return compare(ctx, b, prefix, objects), nil
}

// compare gets and lists the objects and holds them against what was put.
func compare(ctx context.Context, b bucket, prefix string, objects map[string][]byte) *finding.Finding {
	keys := slices.Sorted(maps.Keys(objects))
	for _, key := range keys {
		got, err := b.get(ctx, key)
		if err != nil {
			return objectTrouble("an object comes back", "get "+key, err)
		}
		if !bytes.Equal(got, objects[key]) {
			return finding.Failed("an object comes back as it was put", fmt.Sprintf("%s: %d bytes that differ from the %d that were put", key, len(got), len(objects[key])),
				"a proxy or the object store changes or cuts what it carries", "get the object from the object store itself, without proxies")
		}
	}
	sizes, err := b.list(ctx, prefix, len(keys))
	if err != nil {
		return objectTrouble("the bucket can be listed", "list "+prefix, err)
	}
	for _, key := range keys {
		if sizes[key] != int64(len(objects[key])) {
			return finding.Failed("the list of objects names what was put", fmt.Sprintf("%s is listed with %d bytes of %d", key, sizes[key], len(objects[key])),
				"the bucket's index is behind or damaged", "check the index: radosgw-admin bucket check")
		}
	}
	return nil
}

// removeObjects deletes all of the objects, even after the end of ctx, and returns the first
// trouble with it.
func removeObjects(ctx context.Context, b bucket, keys []string) (f *finding.Finding) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	for _, key := range keys {
		if trouble := removeObject(ctx, b, key); f == nil {
			f = trouble
		}
	}
	return f
}

// removeObject deletes an object and shows that it is gone.
func removeObject(ctx context.Context, b bucket, key string) *finding.Finding {
	if err := b.delete(ctx, key); err != nil {
		return objectTrouble("an object can be deleted", "delete "+key, err)
	}
	switch _, err := b.get(ctx, key); {
	case err == nil:
		return finding.Failed("an object that was deleted is gone", key+": it can still be got",
			"deletions are delayed, or something between here and the store caches objects", "see the bucket's policy, and the proxies on the way")
	case statusOf(err) != http.StatusNotFound:
		return objectTrouble("an object that was deleted is not found", "get "+key, err)
	}
	return nil
}

// outOfReach shows that the credentials may not even list another bucket. It does not try to
// write there: if it could, it would have changed what is not ours.
func outOfReach(ctx context.Context, b bucket, other string) *finding.Finding {
	expected := "the credentials do not reach bucket " + other
	b.name = other
	_, err := b.list(ctx, "", 1)
	switch status := statusOf(err); {
	case err == nil:
		return finding.Failed(expected, "they can list it", "the user's policy is too wide, or the bucket is public", "narrow the bucket's policy or the user's")
	case status == http.StatusForbidden:
		return nil
	case status == http.StatusNotFound:
		return finding.NotDecided(expected, "there is no such bucket", "the answer has a slip", "name a bucket of others in storageClass.s3.otherBucket")
	}
	return finding.NotDecided(expected, err.Error(), "the object store did not say whether they may", "run it again").Because(err)
}

// codes explains what object stores answer
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var codes = map[string]struct{ why, do string }{
	"InvalidAccessKeyId":    {"the object store does not know the access key", "correct storageClass.s3.accessKey"},
	"SignatureDoesNotMatch": {"the secret key is not that of the access key", "correct storageClass.s3.secretKey, and storageClass.s3.region"},
	"AccessDenied":          {"the user may not do that in this bucket", "widen the bucket's policy, or correct storageClass.s3.bucket"},
	"NoSuchBucket":          {"there is no such bucket", "have it created, or correct storageClass.s3.bucket"},
	"RequestTimeTooSkewed":  {"the clocks of the runner and of the object store differ by more than 15 minutes", "set both by NTP"},
	"QuotaExceeded":         {"the quota of the user or the bucket is used up", "raise it: radosgw-admin quota"},
}

// objectTrouble words why the object store did not do something. One that cannot be reached
// from here may still be reached by users, and is undecided.
func objectTrouble(expected, doing string, err error) *finding.Finding {
	var answer refusal
	if errors.As(err, &answer) {
		advice, known := codes[answer.Code]
		if !known {
			advice.do = "see the object store's log"
		}
		return finding.Failed(expected, doing+": "+err.Error(), advice.why, advice.do).Because(err)
	}
	if errors.Is(err, context.Canceled) {
		return finding.NotDecided(expected, doing+": "+err.Error(), "the run was stopped", "run it again").Because(err)
	}
	return finding.NotDecided(expected, doing+": "+err.Error(), "the object store cannot be reached from the runner, or its certificate is not trusted",
		"see storageClass.s3.endpoint, storageClass.s3.caFile, proxies and firewalls").Because(err)
}
