package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/suites/storage/s3"
)

const (
	// objectTime bounds the whole try of an object store.
	objectTime = 2 * time.Minute
	// partSize is the smallest that S3 allows for any part but the last, in bytes.
	partSize = 5 << 20
	smallObj = 64 << 10
)

// tryObjectStore tries the answered bucket with objects of the run's own, and removes them.
func tryObjectStore(ctx context.Context, a answers.StorageClass) {
	check.Require("storageClass.s3.endpoint", "storageClass.s3.bucket", "storageClass.s3.otherBucket", "storageClass.s3.accessKey", "storageClass.s3.secretKey")
	if check.ReadOnly() {
		check.Undecided("an object that is put comes back", "--read-only forbids putting one", "", "run it again without --read-only")
	}
	endpoint, err := url.Parse(a.S3.Endpoint)
	check.NoError(err, "understand storageClass.s3.endpoint")
	client, err := objectClient(a.S3.CAFile, check.Answers().Certificates.CAFile)
	check.NoError(err, "load the CA of the object store")
	bucket := s3.Bucket{Endpoint: endpoint, Region: a.S3.Region, Name: a.S3.Bucket, Client: client, UserAgent: check.UserAgent(),
		Access: check.Secret(ctx, a.S3.AccessKey), Secret: check.Secret(ctx, a.S3.SecretKey)}
	if bucket.Region == "" {
		bucket.Region = "us-east-1"
	}
	ctx, cancel := context.WithTimeout(ctx, objectTime)
	defer cancel()
	check.Step("put, get, list and delete objects in bucket %s", bucket.Name)
	check.Evidence("endpoint", a.S3.Endpoint)
	check.Evidence("bucket", bucket.Name)
	if f := roundTrip(ctx, bucket, "conformance/"+check.Settings().RunID+"/"); f != nil {
		check.NoError(f, "try the bucket")
	}
	check.Step("try to reach bucket %s", a.S3.OtherBucket)
	if f := outOfReach(ctx, bucket, a.S3.OtherBucket); f != nil {
		check.NoError(f, "try another bucket")
	}
	check.Evidence("another bucket", "refused")
}

// objectClient trusts the system's CAs and those in the files that are named.
func objectClient(files ...string) (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", file)
		}
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots}}}, nil
}

// roundTrip puts objects with the prefix into the bucket, at once and in parts, gets, lists
// and deletes them. It leaves none.
func roundTrip(ctx context.Context, b s3.Bucket, prefix string) (f *finding.Finding) {
	objects := map[string][]byte{prefix + "whole object": make([]byte, smallObj), prefix + "parts": make([]byte, partSize+smallObj)}
	for _, body := range objects {
		rand.Read(body)
	}
	keys := slices.Sorted(maps.Keys(objects))
	defer func() {
		later, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		for _, key := range keys {
			if err := b.Delete(later, key); err != nil && f == nil {
				f = objectTrouble("an object can be deleted", "delete "+key, err)
			} else if _, err := b.Get(later, key); f == nil && s3.StatusOf(err) != http.StatusNotFound {
				f = finding.Failed("an object that was deleted is gone", fmt.Sprintf("%s: %v", key, orThere(err)),
					"deletions are delayed, or the bucket keeps versions and the user may not delete", "see the bucket's policy")
			}
		}
	}()
	whole, parts := keys[1], keys[0]
	if err := b.Put(ctx, whole, objects[whole]); err != nil {
		return objectTrouble("an object can be put into the bucket", "put "+whole, err)
	}
	if err := b.PutParts(ctx, parts, objects[parts][:partSize], objects[parts][partSize:]); err != nil {
		return objectTrouble("an object can be uploaded in parts", parts, err)
	}
	for _, key := range keys {
		got, err := b.Get(ctx, key)
		if err != nil {
			return objectTrouble("an object comes back", "get "+key, err)
		}
		if !bytes.Equal(got, objects[key]) {
			return finding.Failed("an object comes back as it was put", fmt.Sprintf("%s: %d bytes that differ from the %d that were put", key, len(got), len(objects[key])),
				"a proxy or the object store changes or cuts what it carries", "get the object from the object store itself, without proxies")
		}
	}
	sizes, err := b.List(ctx, prefix, len(keys))
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

// outOfReach shows that the credentials may not even list another bucket. It does not try to
// write there: if it could, it would have changed what is not ours.
func outOfReach(ctx context.Context, b s3.Bucket, other string) *finding.Finding {
	expected := "the credentials do not reach bucket " + other
	b.Name = other
	_, err := b.List(ctx, "", 1)
	switch status := s3.StatusOf(err); {
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
	var refusal *s3.Error
	if errors.As(err, &refusal) {
		advice, known := codes[refusal.Code]
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

func orThere(err error) string {
	if err == nil {
		return "it can still be got"
	}
	return err.Error()
}
