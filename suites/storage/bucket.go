package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"aiv.internal/conformance/framework/answers"
)

const (
	// defaultRegion is what requests are signed for where no region is answered.
	defaultRegion = "us-east-1"
	// maxObject bounds what is read of an object, in bytes.
	maxObject = 16 << 20
)

// bucket is a bucket of an object store as one user reaches it.
type bucket struct {
	store *minio.Core
	name  string
}

// openBucket prepares requests to the answered bucket, and sends none. The agent has the form
// name/version. CAs of the files that are named are trusted beside those of the system.
func openBucket(a answers.S3, access, secret, agent string, proxies answers.Proxies, caFiles ...string) (bucket, error) {
	endpoint, err := url.Parse(a.Endpoint)
	if err != nil {
		return bucket{}, err
	}
	if err := s3utils.CheckValidBucketName(a.Bucket); err != nil {
		return bucket{}, fmt.Errorf("bucket %q: %w", a.Bucket, err)
	}
	roots, err := trusted(caFiles)
	if err != nil {
		return bucket{}, err
	}
	secure := endpoint.Scheme != "http"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return bucket{}, err
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.Proxy = proxies.ForRequest
	region := a.Region
	if region == "" {
		region = defaultRegion
	}
	store, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:     credentials.NewStaticV4(access, secret, ""),
		Secure:    secure,
		Transport: transport,
		Region:    region,
		// Names of buckets as host names would need a wildcard in DNS.
		BucketLookup: minio.BucketLookupPath,
		// A store that fails now and then is a finding, not something to try again.
		MaxRetries: 1,
	})
	if err != nil {
		return bucket{}, fmt.Errorf("endpoint %s: %w", a.Endpoint, err)
	}
	name, version, _ := strings.Cut(agent, "/")
	store.SetAppInfo(name, version)
	return bucket{store: store, name: a.Bucket}, nil
}

// trusted returns the CAs of the system and those in the files, of which unnamed ones are
// left out.
func trusted(files []string) (*x509.CertPool, error) {
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
	return roots, nil
}

// put stores an object, and returns its version where the bucket keeps versions. Its checksum
// goes along, so that the store refuses a damaged one.
func (b bucket) put(ctx context.Context, key string, body []byte) (version string, err error) {
	put, err := b.store.PutObject(ctx, b.name, key, bytes.NewReader(body), int64(len(body)), "", checksum(body),
		// What is disabled is to sum and sign chunk by chunk, instead of once for all.
		minio.PutObjectOptions{DisableContentSha256: true})
	return put.VersionID, refused(err)
}

// putParts stores an object in several parts, each but the last at least partSize, as large
// files are stored, and returns its version like put. An upload that fails is given up, so
// that its parts do not stay.
func (b bucket) putParts(ctx context.Context, key string, bodies ...[]byte) (version string, err error) {
	id, err := b.store.NewMultipartUpload(ctx, b.name, key, minio.PutObjectOptions{})
	if err != nil {
		return "", fmt.Errorf("begin the upload: %w", refused(err))
	}
	defer func() {
		if err == nil {
			return
		}
		later, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
		defer cancel()
		// An upload that is not there was completed after all, and leaves no parts.
		if left := refused(b.store.AbortMultipartUpload(later, b.name, key, id)); left != nil && statusOf(left) != http.StatusNotFound {
			err = fmt.Errorf("%w; its parts are left in the bucket: %w", err, left)
		}
	}()
	var parts []minio.CompletePart
	for i, body := range bodies {
		part, err := b.store.PutObjectPart(ctx, b.name, key, id, i+1, bytes.NewReader(body), int64(len(body)),
			minio.PutObjectPartOptions{Sha256Hex: checksum(body), DisableContentSha256: true})
		if err != nil {
			return "", fmt.Errorf("upload part %d: %w", i+1, refused(err))
		}
		parts = append(parts, minio.CompletePart{PartNumber: part.PartNumber, ETag: part.ETag})
	}
	put, err := b.store.CompleteMultipartUpload(ctx, b.name, key, id, parts, minio.PutObjectOptions{})
	if err != nil {
		return "", fmt.Errorf("complete the upload: %w", refused(err))
	}
	return put.VersionID, nil
}

// get returns an object, or the first 16 MiB of it.
func (b bucket) get(ctx context.Context, key string) ([]byte, error) {
	body, _, _, err := b.store.GetObject(ctx, b.name, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, refused(err)
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxObject))
}

// delete removes an object; one that is not there is no error, as S3 has it. A bucket that
// keeps versions only hides it: see removeVersions.
func (b bucket) delete(ctx context.Context, key string) error {
	return refused(b.store.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{}))
}

// list returns the sizes in bytes of objects whose keys begin with prefix, at most limit of
// them.
func (b bucket) list(ctx context.Context, prefix string, limit int) (map[string]int64, error) {
	objects, err := b.objects(ctx, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: limit}, limit)
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{}
	for _, object := range objects {
		sizes[object.Key] = object.Size
	}
	return sizes, nil
}

// objects returns what the store lists, at most limit of them.
func (b bucket) objects(ctx context.Context, options minio.ListObjectsOptions, limit int) ([]minio.ObjectInfo, error) {
	listing, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []minio.ObjectInfo
	for object := range b.store.ListObjectsIter(listing, b.name, options) {
		if object.Err != nil {
			return nil, refused(object.Err)
		}
		if all = append(all, object); len(all) == limit {
			return all, nil
		}
	}
	// The list of an interrupted request ends without an error.
	return all, ctx.Err()
}

// checksum returns the SHA-256 in hex.
func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// refusal is what an object store answered instead of doing it, worded with the status and
// the code, which the library's error leaves out.
type refusal struct{ minio.ErrorResponse }

func (r refusal) Error() string {
	return fmt.Sprintf("HTTP status %d, code %q: %s", r.StatusCode, r.Code, r.ErrorResponse.Error())
}

// refused words err if it is an answer of the object store, and returns others as they are.
func refused(err error) error {
	if answer := minio.ToErrorResponse(err); answer.StatusCode != 0 {
		return refusal{answer}
	}
	return err
}

// statusOf returns the HTTP status of a refusal, 0 if err is none.
func statusOf(err error) int {
	var r refusal
	errors.As(err, &r)
	return r.StatusCode
}
