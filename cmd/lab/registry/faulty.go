package registry

import (
	"net/http"

	"github.com/distribution/distribution/v3/registry/api/errcode"
)

// Faults that the registry looks for at each request. The table of the lab's faults
// describes them.
const (
	FaultAnonymous       = "registry-anonymous"
	FaultRepositoryGone  = "registry-repository-gone"
	FaultPushRefused     = "registry-push-refused"
	FaultManifestRefused = "registry-manifest-refused"
	FaultDeleteRefused   = "registry-delete-refused"
	FaultBlobCorrupted   = "registry-blob-corrupted"
)

// faulty plants the registry's faults in front of next.
type faulty struct {
	active func(string) bool
	next   http.Handler
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := actionOf(r)
	switch {
	case a.writes() && a.method != http.MethodDelete && f.active(FaultRepositoryGone):
		refuse(w, errcode.ErrorCodeNameUnknown)
	case a.writes() && a.method != http.MethodDelete && a.kind == upload && f.active(FaultPushRefused):
		refuse(w, errcode.ErrorCodeDenied.WithMessage("deploying blobs to "+a.repository+" is forbidden"))
	case a.method == http.MethodPut && a.kind == manifest && f.active(FaultManifestRefused):
		refuse(w, errcode.ErrorCodeDenied.WithMessage("deploying manifests to "+a.repository+" is forbidden"))
	case a.method == http.MethodDelete && a.kind == manifest && f.active(FaultDeleteRefused):
		refuse(w, errcode.ErrorCodeDenied.WithMessage("deleting from "+a.repository+" is forbidden"))
	case a.method == http.MethodGet && a.kind == blob && f.active(FaultBlobCorrupted):
		f.next.ServeHTTP(&corrupter{ResponseWriter: w}, r)
	default:
		f.next.ServeHTTP(w, r)
	}
}

// corrupter flips the bits of one byte of the body. It has no ReadFrom, so that no body
// passes it by.
type corrupter struct {
	http.ResponseWriter
	done bool
}

func (c *corrupter) Write(p []byte) (int, error) {
	if c.done || len(p) == 0 {
		return c.ResponseWriter.Write(p)
	}
	c.done = true
	bad := append([]byte(nil), p...)
	bad[len(bad)/2] ^= 0xff
	return c.ResponseWriter.Write(bad)
}
