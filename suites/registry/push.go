package registry

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"aiv.internal/conformance/framework/finding"
)

// stage is the part of a push that a request belongs to.
type stage string

const (
	uploading stage = "the upload of a blob"
	naming    stage = "the manifest"
	lookingUp stage = "asking whether a blob is there already"
	otherwise stage = "the push"
)

// stageOf goes by the request that failed.
func stageOf(err error) stage {
	method, path := requestOf(err)
	switch {
	case strings.Contains(path, "/blobs/uploads"):
		return uploading
	case strings.Contains(path, "/manifests/") && method != http.MethodHead && method != http.MethodGet:
		return naming
	case strings.Contains(path, "/blobs/") || strings.Contains(path, "/manifests/"):
		return lookingUp
	}
	return otherwise
}

func requestOf(err error) (method, path string) {
	var status *transport.Error
	if errors.As(err, &status) && status.Request != nil {
		return status.Request.Method, status.Request.URL.Path
	}
	var connection *url.Error
	if errors.As(err, &connection) {
		return strings.ToUpper(connection.Op), connection.URL
	}
	return "", ""
}

// explainPush says which of a push's stages was refused: the account's rights differ in each.
func explainPush(err error, image string) *finding.Finding {
	at := stageOf(err)
	f := explain(err, "image "+image+" can be pushed")
	f.Found = string(at) + " failed: " + f.Found
	kind := troubleOf(err)
	switch {
	case isRefusal(kind) && at == uploading:
		f.Why = "the account may log in, but not write below this repository"
		f.Do = "grant the account the right to push (write, deploy) there; an archived or full repository answers so too"
	case isRefusal(kind) && at == naming:
		f.Why = "blobs were accepted, only the manifest is refused: the right to create or overwrite tags is missing, or a policy of the registry forbids this tag or image type"
		f.Do = "grant the right to create tags below the repository, and see its rules for tags (immutability, patterns, signatures)"
	case isRefusal(kind) && at == lookingUp:
		f.Why = "the account may write, but not read below this repository, and a push needs both"
		f.Do = "grant the account the right to read (pull) there too"
	}
	return f
}
