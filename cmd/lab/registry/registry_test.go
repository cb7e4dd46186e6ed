package registry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// lab is a registry with the lab's users, asked through a real client.
type lab struct {
	*testing.T
	host   string
	client http.RoundTripper
	mu     sync.Mutex
	faults map[string]bool
}

func newLab(t *testing.T) *lab {
	l := &lab{T: t, faults: map[string]bool{}}
	htpasswd := filepath.Join(t.TempDir(), "htpasswd")
	if err := WriteHTPasswd(htpasswd, map[string]string{"jupyterhub": "right", Reader: "right"}); err != nil {
		t.Fatal(err)
	}
	handler, shutdown, err := New(t.Context(), Settings{
		Root: t.TempDir(), HTPasswd: htpasswd, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Pushers: map[string]string{"jupyterhub": "ml-platform"},
		Active: func(fault string) bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.faults[fault]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	t.Cleanup(func() {
		server.Close()
		if err := shutdown(); err != nil {
			t.Error(err)
		}
	})
	l.host = strings.TrimPrefix(server.URL, "https://")
	l.client = server.Client().Transport
	return l
}

func (l *lab) plant(fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults[fault] = true
}

func (l *lab) ref(path string) name.Reference {
	l.Helper()
	ref, err := name.ParseReference(l.host + "/" + path)
	if err != nil {
		l.Fatal(err)
	}
	return ref
}

func (l *lab) as(user, password string) []remote.Option {
	options := []remote.Option{remote.WithTransport(l.client), remote.WithContext(l.Context())}
	if user != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: user, Password: password}))
	}
	return options
}

func (l *lab) pusher() []remote.Option { return l.as("jupyterhub", "right") }

func (l *lab) image() v1.Image {
	l.Helper()
	image, err := random.Image(1024, 2)
	if err != nil {
		l.Fatal(err)
	}
	return image
}

// pull gets the image and all of its layers, and checks their digests.
func (l *lab) pull(path string, options []remote.Option) error {
	image, err := remote.Image(l.ref(path), options...)
	if err != nil {
		return err
	}
	return validate.Image(image)
}

// code is the HTTP status that the registry refused with, and what it said.
func code(err error) string {
	var refused *transport.Error
	if !errors.As(err, &refused) {
		return fmt.Sprint(err)
	}
	var codes []string
	for _, d := range refused.Errors {
		codes = append(codes, string(d.Code))
	}
	return fmt.Sprintf("%d %s", refused.StatusCode, strings.Join(codes, ","))
}

func TestRoundTrip(t *testing.T) {
	l := newLab(t)
	image := l.image()
	if err := remote.Write(l.ref("ml-platform/a:1"), image, l.pusher()...); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"jupyterhub", Reader} {
		if err := l.pull("ml-platform/a:1", l.as(user, "right")); err != nil {
			t.Errorf("%s cannot pull: %v", user, err)
		}
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Delete(l.ref("ml-platform/a@"+digest.String()), l.pusher()...); err != nil {
		t.Fatal(err)
	}
	if got := code(l.pull("ml-platform/a:1", l.pusher())); !strings.HasPrefix(got, "404") {
		t.Errorf("after deletion: %s", got)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	l := newLab(t)
	image := l.image()
	if err := remote.Write(l.ref("ml-platform/a:1"), image, l.pusher()...); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		err  error
		want string
	}{
		{"anonymous pull", l.pull("ml-platform/a:1", l.as("", "")), "401 UNAUTHORIZED"},
		{"wrong password", l.pull("ml-platform/a:1", l.as("jupyterhub", "wrong")), "401 UNAUTHORIZED"},
		{"unknown user", l.pull("ml-platform/a:1", l.as("nobody", "right")), "401 UNAUTHORIZED"},
		{"reader pushes", remote.Write(l.ref("ml-platform/b:1"), image, l.as(Reader, "right")...), "403 DENIED"},
		{"reader deletes", remote.Delete(l.ref("ml-platform/a@"+digest.String()), l.as(Reader, "right")...), "403 DENIED"},
		{"push elsewhere", remote.Write(l.ref("other/a:1"), image, l.pusher()...), "403 DENIED"},
		{"push beside", remote.Write(l.ref("ml-platform-2/a:1"), image, l.pusher()...), "403 DENIED"},
	} {
		if got := code(c.err); got != c.want {
			t.Errorf("%s: %s, expected %s", c.what, got, c.want)
		}
	}
}

func TestChallenge(t *testing.T) {
	l := newLab(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+l.host+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := l.client.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("WWW-Authenticate"); response.StatusCode != 401 || !strings.HasPrefix(got, "Basic realm=") {
		t.Errorf("%s, %q", response.Status, got)
	}
}

func TestFaults(t *testing.T) {
	l := newLab(t)
	image := l.image()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fault, want string
		do          func(l *lab) error
	}{
		{FaultRepositoryGone, "404 NAME_UNKNOWN", func(l *lab) error {
			return remote.Write(l.ref("ml-platform/b:1"), l.image(), l.pusher()...)
		}},
		{FaultPushRefused, "403 DENIED", func(l *lab) error {
			return remote.Write(l.ref("ml-platform/b:1"), l.image(), l.pusher()...)
		}},
		{FaultManifestRefused, "403 DENIED", func(l *lab) error {
			return remote.Write(l.ref("ml-platform/b:1"), image, l.pusher()...)
		}},
		{FaultDeleteRefused, "403 DENIED", func(l *lab) error {
			return remote.Delete(l.ref("ml-platform/a@"+digest.String()), l.pusher()...)
		}},
		{FaultBlobCorrupted, "error verifying sha256 checksum", func(l *lab) error {
			return l.pull("ml-platform/a:1", l.pusher())
		}},
		{FaultAnonymous, "<nil>", func(l *lab) error {
			return l.pull("ml-platform/a:1", l.as("", ""))
		}},
		{FaultAnonymous, "401 UNAUTHORIZED", func(l *lab) error {
			return remote.Write(l.ref("ml-platform/b:1"), l.image(), l.as("", "")...)
		}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			l := newLab(t)
			if err := remote.Write(l.ref("ml-platform/a:1"), image, l.pusher()...); err != nil {
				t.Fatal(err)
			}
			l.plant(c.fault)
			if got := code(c.do(l)); !strings.Contains(got, c.want) {
				t.Errorf("%s, expected %s", got, c.want)
			}
		})
	}
}

func TestActionOf(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         action
	}{
		{"GET", "/v2/", action{"GET", other, ""}},
		{"GET", "/v2/_catalog", action{"GET", other, ""}},
		{"GET", "/v2/a/b/tags/list", action{"GET", other, ""}},
		{"GET", "/v2/a/b/manifests/1", action{"GET", manifest, "a/b"}},
		{"GET", "/v2/a/blobs/sha256:0", action{"GET", blob, "a"}},
		{"POST", "/v2/a/b/blobs/uploads/", action{"POST", upload, "a/b"}},
		{"PATCH", "/v2/a/blobs/uploads/uuid", action{"PATCH", upload, "a"}},
		{"PUT", "/v2/manifests/blobs/manifests/1", action{"PUT", manifest, "manifests/blobs"}},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if got := actionOf(r); got != c.want {
			t.Errorf("%s %s: %+v, expected %+v", c.method, c.path, got, c.want)
		}
	}
}
