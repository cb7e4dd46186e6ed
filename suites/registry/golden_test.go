package registry

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the texts anew; read the difference before committing it")

var digests = regexp.MustCompile(`(sha256:)?[0-9a-f]{64}`)

// The findings are what the reader of a report gets. A change of their words is a change
// worth seeing.
func TestWords(t *testing.T) {
	denied := "requested access to the resource is denied"
	for name, c := range map[string]struct {
		fault  fault
		change func(*door)
		stage  func(*trip) error
	}{
		"push-refused":     {fault: on("POST", "/blobs/uploads", 403, "DENIED", denied), stage: func(t *trip) error { return t.pushed }},
		"manifest-refused": {fault: on("PUT", "/manifests/", 403, "DENIED", denied), stage: func(t *trip) error { return t.pushed }},
		"delete-refused":   {fault: on("DELETE", "/manifests/", 403, "DENIED", denied), stage: func(t *trip) error { return t.deleted }},
		"blob-corrupted":   {change: corrupt, stage: func(t *trip) error { return t.pulled }},
		"wrong-password":   {fault: on("GET", "/v2/", 401, "UNAUTHORIZED", "authentication required"), stage: func(t *trip) error { return t.entered }},
		"limited":          {fault: on("POST", "/blobs/uploads", 429, "TOOMANYREQUESTS", "slow down"), stage: func(t *trip) error { return t.pushed }},
		"failing":          {fault: on("PUT", "/blobs/uploads", 500, "UNKNOWN", "unknown error"), stage: func(t *trip) error { return t.pushed }},
	} {
		t.Run(name, func(t *testing.T) {
			var faults []fault
			if c.fault != nil {
				faults = append(faults, c.fault)
			}
			d := serve(t, faults...)
			if c.change != nil {
				c.change(d)
			}
			made := travel(t, d)
			err := c.stage(made)
			if err == nil {
				t.Fatal("the fault was not found")
			}
			got := strings.NewReplacer(d.host(), "HOST", made.image.TagStr(), "TAG").Replace(err.Error())
			got = uploads.ReplaceAllString(digests.ReplaceAllString(got, "DIGEST"), "uploads/SESSION")
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got+"\n" != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// uploads have random names.
var uploads = regexp.MustCompile(`uploads/[0-9]+`)
