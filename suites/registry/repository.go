package registry

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"aiv.internal/conformance/framework/finding"
)

// repositoryExists says how the repository was seen to exist: an upload below it is begun,
// and given up. Projects of Artifactory and Harbor hold repositories without being one, so
// that asking for their tags proves nothing.
func (v *visitor) repositoryExists(ctx context.Context, repository string, readOnly bool) (string, error) {
	expected := "repository " + repository + " exists in " + v.host()
	if readOnly {
		return v.seen(ctx, repository, finding.NotDecided(expected, "it cannot be listed, and --read-only forbids to begin an upload", "", "run it again without --read-only"))
	}
	err := v.beginUpload(ctx)
	switch kind := troubleOf(err); {
	case err == nil:
		return "an upload below it was accepted", nil
	case kind == nameUnknown || kind == notFound || isRefusal(kind) && saysMissing(err):
		return "", finding.Failed(expected, words(err), advice[nameUnknown].why, advice[nameUnknown].do).Because(err)
	case isRefusal(kind):
		// Whether there is something to write to is not told to those who may not write.
		return v.seen(ctx, repository, dependent(err, expected, "5.1.4"))
	}
	return "", explain(err, expected)
}

// saysMissing recognises registries that refuse what does not exist.
func saysMissing(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "not found") || strings.Contains(text, "not exist")
}

// beginUpload starts a blob's upload and gives it up at once (OCI Distribution
// Specification 1.1, end-4a). A registry forgets by itself one that cannot be given up.
func (v *visitor) beginUpload(ctx context.Context) error {
	response, err := get(ctx, v.client, http.MethodPost, v.url(v.repository.RepositoryStr()+"/blobs/uploads/"))
	if err != nil {
		return err
	}
	if err := transport.CheckError(response, http.StatusAccepted); err != nil {
		return err
	}
	if session, err := response.Location(); err == nil {
		session.Scheme = "https"
		_, _ = get(ctx, v.client, http.MethodDelete, session.String())
	}
	return nil
}

// seen looks for the repository where nothing can be written: by its tags, or by the first
// name below it in the catalogue. Otherwise it returns the finding.
func (v *visitor) seen(ctx context.Context, repository string, otherwise error) (string, error) {
	if v.ask(ctx, http.MethodGet, repository+"/tags/list", http.StatusOK) == nil {
		return "its tags can be listed", nil
	}
	response, err := get(ctx, v.client, http.MethodGet, v.url("_catalog?n=1&last="+url.QueryEscape(repository+"/")))
	if err != nil || response.StatusCode != http.StatusOK {
		return "", otherwise
	}
	var catalog struct {
		Repositories []string `json:"repositories"`
	}
	if json.NewDecoder(response.Body).Decode(&catalog) == nil && len(catalog.Repositories) > 0 && strings.HasPrefix(catalog.Repositories[0], repository+"/") {
		return "the catalogue lists " + catalog.Repositories[0], nil
	}
	return "", otherwise
}
