package storage

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// objectStore is an S3 server that keeps objects in memory, and what is wrong with it.
type objectStore struct {
	*httptest.Server
	s3      http.Handler
	backend gofakes3.Backend
	fault   string
	// interrupt is called by the fault of this name.
	interrupt context.CancelFunc
}

const (
	accessKey = "ACCESSKEY"
	secretKey = "very-secret-key"
)

// newObjectStore starts a server with bucket "ours" of the user and bucket "theirs" of others.
func newObjectStore(t *testing.T, fault string) *objectStore {
	t.Helper()
	backend := s3mem.New()
	s := &objectStore{backend: backend, s3: gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server(), fault: fault}
	for _, name := range []string{"ours", "theirs"} {
		if err := backend.CreateBucket(name); err != nil {
			t.Fatal(err)
		}
	}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *objectStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		// The body is read as servers do, so that the connection stays.
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, code)
	}
	// A bucket that is named in the path needs no name in DNS.
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	switch {
	case s.fault == "keys" || !strings.Contains(r.Header.Get("Authorization"), "Credential="+accessKey+"/"):
		refuse(http.StatusForbidden, "SignatureDoesNotMatch")
	case !strings.Contains(r.UserAgent(), "conformance/1 (6.1.6)"):
		refuse(http.StatusBadRequest, "UnknownUserAgent")
	case s.fault == "proxy":
		http.Error(w, "<html>the proxy found no way</html>", http.StatusBadGateway)
	case bucket == "theirs" && s.fault != "open":
		refuse(http.StatusForbidden, "AccessDenied")
	case key == "" && s.fault == "unlisted":
		fmt.Fprint(w, `<ListBucketResult/>`)
	case query.Has("partNumber") && s.fault == "parts":
		refuse(http.StatusInternalServerError, "InternalError")
	case query.Get("partNumber") == "2" && s.fault == "interrupt":
		// A server sees that a client has gone only once it has read all that was sent.
		io.Copy(io.Discard, r.Body)
		s.interrupt()
		<-r.Context().Done()
	case query.Has("uploadId") && r.Method == http.MethodPost && s.fault == "late":
		refuse(http.StatusOK, "InternalError")
	case query.Has("versionId") && (s.fault == "keeping" || s.fault == "silent"):
		refuse(http.StatusForbidden, "AccessDenied")
	case query.Has("versions") && s.fault == "silent":
		refuse(http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodDelete && s.fault == "undeleted":
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet && key != "" && s.fault == "corrupt":
		s.corrupt(w, r)
	default:
		s.s3.ServeHTTP(w, r)
	}
}

// corrupt answers as the store does, but for one bit.
func (s *objectStore) corrupt(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	s.s3.ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	body := answer.Body.Bytes()
	body[len(body)/2] ^= 1
	w.WriteHeader(answer.Code)
	w.Write(body)
}

// open returns a bucket of the store, for a client that trusts it.
func (s *objectStore) open(t *testing.T, name string) bucket {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, answers.S3{Endpoint: s.URL, Bucket: name}, "", ca)
}

func mustOpen(t *testing.T, a answers.S3, caFiles ...string) bucket {
	t.Helper()
	b, err := openBucket(a, accessKey, secretKey, "conformance/1 (6.1.6)", answers.Proxies{}, caFiles...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantEmpty shows that neither objects nor parts of them are left.
func (s *objectStore) wantEmpty(t *testing.T, b bucket) {
	t.Helper()
	s.fault = ""
	objects, err := b.list(t.Context(), "", 10)
	if err != nil || len(objects) > 0 {
		t.Errorf("objects are left: %v, %v", objects, err)
	}
	uploads, err := b.store.ListMultipartUploads(t.Context(), b.name, "", "", "", "", 10)
	if statusOf(refused(err)) != http.StatusNotFound && (err != nil || len(uploads.Uploads) > 0) {
		t.Errorf("uploads are left: %+v, %v", uploads, err)
	}
}

func tried(ctx context.Context, b bucket, prefix string) *finding.Finding {
	f, _ := roundTrip(ctx, b, prefix)
	return f
}

func TestObjectStore(t *testing.T) {
	for fault, words := range map[string]string{
		"":          "",
		"keys":      "the secret key is not that of the access key",
		"proxy":     "HTTP status 502",
		"corrupt":   "bytes that differ",
		"unlisted":  "is listed with 0 bytes",
		"parts":     "upload part 1: HTTP status 500",
		"late":      "complete the upload: HTTP status 200, code \"InternalError\"",
		"undeleted": "it can still be got",
	} {
		t.Run("fault "+fault, func(t *testing.T) {
			store := newObjectStore(t, fault)
			b := store.open(t, "ours")
			f, kept := roundTrip(t.Context(), b, "conformance/run/")
			if kept != nil {
				t.Errorf("versions: %v", kept)
			}
			wantFinding(t, f, words)
			if f != nil && strings.Contains(f.Error(), secretKey) {
				t.Errorf("the secret key is told: %v", f)
			}
			if fault != "undeleted" {
				store.wantEmpty(t, b)
			}
		})
	}
}

func TestInterruptedTryLeavesNothing(t *testing.T) {
	store := newObjectStore(t, "interrupt")
	ctx, cancel := context.WithCancel(t.Context())
	store.interrupt = cancel
	b := store.open(t, "ours")
	wantUndecided(t, tried(ctx, b, "conformance/run/"))
	store.wantEmpty(t, b)
}

func TestMissingBucket(t *testing.T) {
	store := newObjectStore(t, "")
	wantFinding(t, tried(t.Context(), store.open(t, "missing"), "x/"), "there is no such bucket")
}

func TestOtherBucket(t *testing.T) {
	for fault, words := range map[string]string{"": "", "open": "they can list it"} {
		wantFinding(t, outOfReach(t.Context(), newObjectStore(t, fault).open(t, "ours"), "theirs"), words)
	}
	b := newObjectStore(t, "").open(t, "ours")
	wantUndecided(t, outOfReach(t.Context(), b, "missing"))
	late, cancel := context.WithCancel(t.Context())
	cancel()
	wantUndecided(t, outOfReach(late, b, "theirs"))
}

func TestListIsLimited(t *testing.T) {
	store := newObjectStore(t, "")
	b := store.open(t, "ours")
	for _, key := range []string{"x/a", "x/b c", "y"} {
		if _, err := b.put(t.Context(), key, []byte("text")); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int]int{1: 1, 2: 2, 5: 2} {
		if got, err := b.list(t.Context(), "x/", limit); err != nil || len(got) != want {
			t.Errorf("limit %d: %v, %v", limit, got, err)
		}
	}
}

func TestUnreachableObjectStore(t *testing.T) {
	wantUndecided(t, tried(t.Context(), mustOpen(t, answers.S3{Endpoint: "http://127.0.0.1:1", Bucket: "ours"}), "x/"))
	unknownCA := mustOpen(t, answers.S3{Endpoint: newObjectStore(t, "").URL, Bucket: "ours"})
	f := tried(t.Context(), unknownCA, "x/")
	wantUndecided(t, f)
	if f != nil && !strings.Contains(f.Found, "x509") {
		t.Errorf("the certificate is not blamed: %v", f)
	}
}

func TestAnswersThatLeadToNoBucket(t *testing.T) {
	good := answers.S3{Endpoint: "https://s3.example.com", Bucket: "ours"}
	for name, c := range map[string]struct {
		change func(*answers.S3)
		caFile string
	}{
		"CA file that is missing": {func(*answers.S3) {}, t.TempDir() + "/missing.pem"},
		"CA file of another kind": {func(*answers.S3) {}, "objectstore_test.go"},
		"no host":                 {func(a *answers.S3) { a.Endpoint = "s3.example.com" }, ""},
		"no URL":                  {func(a *answers.S3) { a.Endpoint = "https://s3.example.com:port" }, ""},
		"no name of a bucket":     {func(a *answers.S3) { a.Bucket = "our bucket" }, ""},
	} {
		a := good
		c.change(&a)
		if _, err := openBucket(a, accessKey, secretKey, "conformance/1", answers.Proxies{}, c.caFile); err == nil || strings.HasPrefix(err.Error(), "Please report") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openBucket(good, accessKey, secretKey, "conformance/1", answers.Proxies{}); err != nil {
		t.Errorf("good answers: %v", err)
	}
}

// The library's own error holds neither status nor code.
func TestRefusalsAreWorded(t *testing.T) {
	err := refused(minio.ErrorResponse{StatusCode: http.StatusForbidden, Code: "AccessDenied", Message: "no"})
	if want := `HTTP status 403, code "AccessDenied": no`; err.Error() != want || statusOf(fmt.Errorf("put: %w", err)) != http.StatusForbidden {
		t.Errorf("got %v, want %s", err, want)
	}
	if refused(nil) != nil || refused(io.EOF) != io.EOF || statusOf(io.EOF) != 0 {
		t.Error("what is no answer was changed")
	}
}

// The answered proxy is asked, and not that of the environment.
func TestAnsweredProxyIsUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	b, err := openBucket(answers.S3{Endpoint: "https://s3.example.com", Bucket: "ours"}, accessKey, secretKey, "conformance/1", answers.Proxies{HTTPS: proxy.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.list(t.Context(), "", 1); err == nil || asked != "CONNECT s3.example.com:443" {
		t.Errorf("the proxy was asked for %q: %v", asked, err)
	}
}
