package storage

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"aiv.internal/conformance/suites/storage/s3"
)

// objectServer is a server that keeps objects in memory and has a fault.
type objectServer struct {
	fault   string
	mu      sync.Mutex
	objects map[string][]byte
	parts   map[string][]byte
	aborted bool
}

func (s *objectServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, code)
	}
	switch {
	case bucket != "ours" && s.fault == "open":
		fmt.Fprint(w, `<ListBucketResult/>`)
	case bucket != "ours" && s.fault == "unknown":
		refuse(http.StatusNotFound, "NoSuchBucket")
	case bucket != "ours":
		refuse(http.StatusForbidden, "AccessDenied")
	case s.fault == "keys":
		refuse(http.StatusForbidden, "SignatureDoesNotMatch")
	case key == "":
		fmt.Fprint(w, `<ListBucketResult>`)
		for _, name := range slices.Sorted(maps.Keys(s.objects)) {
			if strings.HasPrefix(name, query.Get("prefix")) && s.fault != "unlisted" {
				fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size></Contents>`, name, len(s.objects[name]))
			}
		}
		fmt.Fprint(w, `</ListBucketResult>`)
	case query.Has("uploads"):
		fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
	case query.Has("partNumber") && s.fault == "parts":
		refuse(http.StatusInternalServerError, "InternalError")
	case query.Has("partNumber"):
		s.parts[query.Get("partNumber")] = body
		w.Header().Set("ETag", `"`+query.Get("partNumber")+`"`)
	case query.Has("uploadId") && r.Method == http.MethodDelete:
		s.aborted = true
	case query.Has("uploadId") && s.fault == "late":
		fmt.Fprint(w, `<Error><Code>InternalError</Code><Message>late</Message></Error>`)
	case query.Has("uploadId"):
		s.objects[key] = bytes.Join([][]byte{s.parts["1"], s.parts["2"]}, nil)
		fmt.Fprint(w, `<CompleteMultipartUploadResult/>`)
	case r.Method == http.MethodPut:
		s.objects[key] = body
	case r.Method == http.MethodDelete:
		if s.fault != "undeleted" {
			delete(s.objects, key)
		}
		w.WriteHeader(http.StatusNoContent)
	case s.objects[key] == nil:
		refuse(http.StatusNotFound, "NoSuchKey")
	case s.fault == "corrupt":
		w.Write(s.objects[key][1:])
	default:
		w.Write(s.objects[key])
	}
}

func TestObjectStore(t *testing.T) {
	for fault, words := range map[string]string{
		"":          "",
		"keys":      "the secret key is not that of the access key",
		"corrupt":   "bytes that differ",
		"unlisted":  "is listed with 0 bytes",
		"parts":     "upload part 1: HTTP status 500",
		"late":      "complete the upload: HTTP status 200, code \"InternalError\"",
		"undeleted": "it can still be got",
	} {
		t.Run("fault "+fault, func(t *testing.T) {
			server, bucket := objectStore(t, fault)
			wantFinding(t, roundTrip(t.Context(), bucket, "conformance/run/"), words)
			if left := len(server.objects); left > 0 && fault != "undeleted" {
				t.Errorf("%d objects are left", left)
			}
			if gaveUp := fault == "parts" || fault == "late"; server.aborted != gaveUp {
				t.Errorf("the upload was given up: %v", server.aborted)
			}
		})
	}
}

func TestOtherBucket(t *testing.T) {
	for fault, words := range map[string]string{"": "", "open": "they can list it"} {
		_, bucket := objectStore(t, fault)
		wantFinding(t, outOfReach(t.Context(), bucket, "theirs"), words)
	}
	_, bucket := objectStore(t, "unknown")
	wantUndecided(t, outOfReach(t.Context(), bucket, "theirs"))
}

func TestUnreachableObjectStore(t *testing.T) {
	_, bucket := objectStore(t, "")
	bucket.Endpoint = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	wantUndecided(t, roundTrip(t.Context(), bucket, "x/"))
	if _, err := objectClient(t.TempDir() + "/missing.pem"); err == nil {
		t.Error("a CA file that is missing was taken")
	}
}

func objectStore(t *testing.T, fault string) (*objectServer, s3.Bucket) {
	handler := &objectServer{fault: fault, objects: map[string][]byte{}, parts: map[string][]byte{}}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return handler, s3.Bucket{Endpoint: endpoint, Region: "us-east-1", Name: "ours", Access: "a", Secret: "s", Client: server.Client()}
}
