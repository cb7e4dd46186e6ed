package registry

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	realregistry "github.com/google/go-containerregistry/pkg/registry"

	"aiv.internal/conformance/framework/finding"
)

func travel(t *testing.T, d *door) *trip {
	t.Helper()
	made, err := newTrip(d, "test-run", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	made.travel(t.Context(), d, credentials(), nil)
	return made
}

func TestTripThroughAHealthyRegistry(t *testing.T) {
	quiet := realregistry.Logger(log.New(io.Discard, "", 0))
	for name, d := range map[string]*door{
		"basic": serve(t),
		"token": doorTo(t, token(realregistry.New(quiet))),
	} {
		t.Run(name, func(t *testing.T) {
			made := travel(t, d)
			for stage, err := range map[string]error{"entered": made.entered, "pushed": made.pushed, "pulled": made.pulled, "deleted": made.deleted} {
				if err != nil {
					t.Errorf("%s: %v", stage, err)
				}
			}
			if !made.gone || made.left != "" {
				t.Errorf("gone=%v left=%q", made.gone, made.left)
			}
			for _, reference := range []string{made.image.TagStr(), made.digest.String()} {
				err := made.visitor.ask(t.Context(), http.MethodGet, d.repository.RepositoryStr()+"/manifests/"+reference, http.StatusOK)
				if !missing(err) {
					t.Errorf("%s is still there: %v", reference, err)
				}
			}
		})
	}
}

// corrupt changes the last byte of every blob of one kind on its way out.
func corrupt(d *door) {
	inner := d.transport
	d.transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := inner.RoundTrip(r)
		if err == nil && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/sha256:") {
			body, _ := io.ReadAll(response.Body)
			if len(body) > 0 {
				body[len(body)-1] ^= 0xff
			}
			response.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFaultsOfATrip(t *testing.T) {
	denied := "requested access to the resource is denied"
	for _, c := range []struct {
		name   string
		faults []fault
		change func(*door)
		stage  func(*trip) error
		want   []string
		// others are the stages that must not be blamed.
		others func(*trip) []error
	}{
		{name: "upload refused", faults: []fault{on("POST", "/blobs/uploads", 403, "DENIED", denied)},
			stage: func(t *trip) error { return t.pushed }, want: []string{"the upload of a blob failed", "DENIED", "not write below this repository", "grant the account the right to push"}},
		{name: "manifest refused", faults: []fault{on("PUT", "/manifests/", 403, "DENIED", denied)},
			stage: func(t *trip) error { return t.pushed }, want: []string{"the manifest failed", "only the manifest is refused", "immutability"}},
		{name: "reading refused while pushing", faults: []fault{on("HEAD", "/blobs/sha256", 403, "DENIED", denied)},
			stage: func(t *trip) error { return t.pushed }, want: []string{"asking whether a blob is there", "not read below"}},
		{name: "repository unknown", faults: []fault{on("POST", "/blobs/uploads", 404, "NAME_UNKNOWN", "repository name not known to registry")},
			stage: func(t *trip) error { return t.pushed }, want: []string{"NAME_UNKNOWN", "the repository does not exist", "registry.repository"}},
		{name: "limited", faults: []fault{on("POST", "/blobs/uploads", 429, "TOOMANYREQUESTS", "slow down")},
			stage: func(t *trip) error { return t.pushed }, want: []string{"TOOMANYREQUESTS", "limits requests"}},
		{name: "storage full", faults: []fault{on("PUT", "/blobs/uploads", 507, "UNKNOWN", "no space")},
			stage: func(t *trip) error { return t.pushed }, want: []string{"no space", "storage"}},
		{name: "corrupted blob", change: corrupt,
			stage: func(t *trip) error { return t.pulled }, want: []string{"error verifying", "damages what it holds"},
			others: func(t *trip) []error { return []error{t.entered, t.pushed, t.deleted} }},
		{name: "pull refused", faults: []fault{on("GET", "/manifests/t", 403, "DENIED", denied)},
			stage: func(t *trip) error { return t.pulled }, want: []string{"DENIED", "may push below the repository, but not read"},
			others: func(t *trip) []error { return []error{t.entered, t.pushed, t.deleted} }},
		{name: "deletion refused", faults: []fault{on("DELETE", "/manifests/", 403, "DENIED", denied)},
			stage: func(t *trip) error { return t.deleted }, want: []string{"DENIED", "may push below the repository, but not delete", "remains, delete it by hand"},
			others: func(t *trip) []error { return []error{t.entered, t.pushed, t.pulled} }},
		{name: "deletion without effect", faults: []fault{on("DELETE", "/manifests/", 202, "", "")},
			stage: func(t *trip) error { return t.deleted }, want: []string{"it is still there"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := serve(t, c.faults...)
			if c.change != nil {
				c.change(d)
			}
			made := travel(t, d)
			err := c.stage(made)
			if err == nil {
				t.Fatalf("the fault was not found: %+v", made)
			}
			for _, text := range c.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is missing in\n%v", text, err)
				}
			}
			if strings.Contains(err.Error(), password) {
				t.Error("the password is in the text")
			}
			if c.others != nil {
				for _, err := range c.others(made) {
					if err != nil {
						t.Errorf("blamed as well: %v", err)
					}
				}
			}
		})
	}
}

func TestLimitedIsUndecided(t *testing.T) {
	made := travel(t, serve(t, on("POST", "/blobs/uploads", 429, "TOOMANYREQUESTS", "slow down")))
	if f := finding.As(made.pushed); f == nil || !f.Undecided {
		t.Errorf("%+v", f)
	}
}

// A registry that deletes nothing for anybody leaves the image: worth a warning only.
func TestDeletionSwitchedOff(t *testing.T) {
	made := travel(t, serve(t, on("DELETE", "/manifests/", 405, "UNSUPPORTED", "The operation is unsupported.")))
	if made.deleted != nil || made.left != made.image.Name() {
		t.Errorf("deleted: %v, left: %q", made.deleted, made.left)
	}
}

// Deletion by digest alone, or by tag alone, is enough.
func TestDeletionByOneWay(t *testing.T) {
	for _, way := range []string{"/manifests/sha256", "/manifests/t"} {
		made := travel(t, serve(t, on("DELETE", way, 405, "UNSUPPORTED", "The operation is unsupported.")))
		if way == "/manifests/sha256" && (made.deleted != nil || made.left != "") {
			t.Errorf("by tag: %v, left %q", made.deleted, made.left)
		}
		// This registry keeps the tag when the digest goes: it says what remains.
		if way == "/manifests/t" && (made.deleted != nil || made.left == "") {
			t.Errorf("by digest: %v, left %q", made.deleted, made.left)
		}
	}
}

// A wrong password and a dead registry belong to other items.
func TestTripThatDoesNotBegin(t *testing.T) {
	d := serve(t)
	made, err := newTrip(d, "r", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	made.travel(t.Context(), d, wrongCredentials(), nil)
	wantDependent(t, made.entered, "5.1.3")

	dead := httptest.NewTLSServer(http.NotFoundHandler())
	d = doorTo(t, func(http.ResponseWriter, *http.Request) {})
	dead.Close()
	d.repository = repositoryAt(t, dead.Listener.Addr().String())
	made, _ = newTrip(d, "r", time.Now())
	made.travel(t.Context(), d, credentials(), nil)
	wantDependent(t, made.entered, "5.1.1")
}

func wantDependent(t *testing.T, err error, item string) {
	t.Helper()
	f := finding.As(err)
	if f == nil || !f.Undecided || f.Do != "see item "+item {
		t.Errorf("want undecided, see item %s; got %+v", item, f)
	}
}

// A trip that is interrupted is cleaned up afterwards.
func TestInterruptedTripIsRemoved(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := serve(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete && ctx.Err() == nil {
			cancel()
		}
		return false
	})
	made, err := newTrip(d, "r", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	made.travel(ctx, d, credentials(), nil)
	if made.gone {
		t.Fatal("it was not interrupted")
	}
	if err := made.removeAfterAll(t.Context()); err != nil || !made.gone {
		t.Errorf("gone=%v, %v", made.gone, err)
	}
}

func TestOldTags(t *testing.T) {
	now := time.Now()
	for tag, want := range map[string]bool{
		tagOf("run-a", now):                      false,
		tagOf("run-a", now.Add(-5*time.Hour)):    false,
		tagOf("run-a", now.Add(-7*time.Hour)):    true,
		"latest":                                 false,
		"t12-x":                                  false,
		"v" + tagOf("a", now.Add(-99*time.Hour)): false,
	} {
		if got := old(tag, now); got != want {
			t.Errorf("%s: %v", tag, got)
		}
	}
	d := serve(t)
	forgotten, _ := newTrip(d, "killed", now.Add(-8*time.Hour))
	running, _ := newTrip(d, "running", now)
	v, err := d.login(t.Context(), credentials())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []*trip{forgotten, running} {
		one.visitor = v
		if one.push(t.Context()); one.pushed != nil {
			t.Fatal(one.pushed)
		}
	}
	if removed := v.removeOld(t.Context(), now); len(removed) != 1 || removed[0] != forgotten.image.TagStr() {
		t.Errorf("removed %v", removed)
	}
	if removed := v.removeOld(t.Context(), now); len(removed) != 0 {
		t.Errorf("removed again %v", removed)
	}
}
