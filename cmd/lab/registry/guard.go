package registry

import (
	"errors"
	"net/http"
	"strings"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/distribution/distribution/v3/registry/auth"
)

// guard asks who it is and refuses what that user may not do: 401 with a challenge without
// valid credentials, 403 DENIED for too little rights, as Artifactory does.
type guard struct {
	users   auth.AccessController
	pushers map[string]string
	active  func(string) bool
	next    http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, _, named := r.BasicAuth(); !named && g.active(FaultAnonymous) && isRead(r) {
		g.next.ServeHTTP(w, r)
		return
	}
	grant, err := g.users.Authorized(r)
	var challenge auth.Challenge
	if errors.As(err, &challenge) {
		challenge.SetHeaders(r, w)
		refuse(w, errcode.ErrorCodeUnauthorized)
		return
	}
	if err != nil {
		refuse(w, errcode.ErrorCodeUnknown.WithDetail(err.Error()))
		return
	}
	if action := actionOf(r); action.writes() && !g.mayWrite(grant.User.Name, action.repository) {
		refuse(w, errcode.ErrorCodeDenied.WithMessage("user "+grant.User.Name+" may only pull from "+action.repository))
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) mayWrite(user, repository string) bool {
	path, ok := g.pushers[user]
	return ok && strings.HasPrefix(repository, path+"/")
}

// isRead says whether a request reads from a repository. The API's root is none: a registry
// that is open for reading still asks there who it is.
func isRead(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.TrimSuffix(r.URL.Path, "/") != "/v2"
}

// refuse answers with an error in the form of the distribution API. A client that does not
// read it has gone, which is no news.
func refuse(w http.ResponseWriter, err error) { _ = errcode.ServeJSON(w, err) }

// kind is what a request is about.
type kind int

const (
	other    kind = iota // the API's root, the catalogue, the list of tags
	blob                 // a blob by its digest
	upload               // an upload of a blob
	manifest             // a manifest by tag or digest
)

// action is a request in the words of the distribution specification.
type action struct {
	method     string
	kind       kind
	repository string
}

func (a action) writes() bool {
	return a.kind != other && a.method != http.MethodGet && a.method != http.MethodHead
}

// actionOf takes a request's path apart. A repository's name may hold any of the words, so
// the last one counts.
func actionOf(r *http.Request) action {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	found := action{method: r.Method, kind: other}
	last := 0
	for _, part := range []struct {
		separator string
		kind      kind
	}{{"/blobs/uploads/", upload}, {"/blobs/", blob}, {"/manifests/", manifest}} {
		if at := strings.LastIndex(path, part.separator); at > last {
			last, found.kind, found.repository = at, part.kind, path[:at]
		}
	}
	return found
}
