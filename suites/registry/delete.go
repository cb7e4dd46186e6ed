package registry

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// leftAfter is the age at which a throwaway tag can be no running run's any more.
const leftAfter = 6 * time.Hour

// tagPattern is the tag of a run's image: when it was made, and by which run.
var tagPattern = regexp.MustCompile(`^t([0-9]{10,})-[a-z0-9-]+$`)

func tagOf(runID string, now time.Time) string { return fmt.Sprintf("t%d-%s", now.Unix(), runID) }

// remove deletes the image and what it consists of. It may be called again, for what an
// interruption left.
func (t *trip) remove(ctx context.Context) {
	if t.gone || t.visitor == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	err := t.deleteAll(ctx)
	switch {
	case err == nil:
		t.gone, t.deleted = true, nil
	case troubleOf(err) == unsupported:
		t.gone, t.left = true, t.image.Name()
	default:
		t.deleted = explainDelete(err, t.image.Name())
	}
}

// removeAfterAll deletes what an interruption kept the trip from deleting. A deletion that
// was refused is item 5.1.4's to say.
func (t *trip) removeAfterAll(ctx context.Context) error {
	kind := troubleOf(t.deleted)
	if t.deleted != nil && kind != outbound.Interrupted && kind != outbound.Silent {
		return nil
	}
	t.deleted = nil
	t.remove(ctx)
	return t.deleted
}

// deleteAll deletes the index by its digest, which in most registries takes the tag along,
// then the tag where it is still there, then the images that the index listed.
func (t *trip) deleteAll(ctx context.Context) error {
	options := t.visitor.options(ctx)
	byDigest := missingIsFine(remote.Delete(t.visitor.repository.Digest(t.digest.String()), options...))
	if isRefusal(troubleOf(byDigest)) {
		return byDigest
	}
	// Some registries delete by tag only, some by digest only.
	if byTag := t.deleteTag(ctx); byTag != nil {
		return errors.Join(byDigest, byTag)
	}
	manifest, err := t.index.IndexManifest()
	if err != nil {
		return err
	}
	for _, child := range manifest.Manifests {
		// Registries that delete by tag only collect these by themselves.
		err := missingIsFine(remote.Delete(t.visitor.repository.Digest(child.Digest.String()), options...))
		if err != nil && troubleOf(err) != unsupported && byDigest == nil {
			return err
		}
	}
	return nil
}

func (t *trip) deleteTag(ctx context.Context) error {
	options := t.visitor.options(ctx)
	if _, err := remote.Head(t.image, options...); missing(err) {
		return nil
	}
	if err := missingIsFine(remote.Delete(t.image, options...)); err != nil {
		return err
	}
	if _, err := remote.Head(t.image, options...); err == nil {
		return finding.Failed("image "+t.image.Name()+" is gone after its deletion", "it is still there",
			"the registry accepts deletions without following them, or a cache before it holds on to the image", "have the registry's deletion looked at, and delete the image by hand")
	}
	return nil
}

func missing(err error) bool {
	kind := troubleOf(err)
	return kind == notFound || kind == nameUnknown
}

func missingIsFine(err error) error {
	if missing(err) {
		return nil
	}
	return err
}

func explainDelete(err error, image string) *finding.Finding {
	f := explain(err, "image "+image+" can be deleted after it was pushed")
	if isRefusal(troubleOf(err)) {
		f.Why = "the account may push below the repository, but not delete there"
		f.Do = "grant the account the right to delete; " + image + " remains, delete it by hand"
	} else if finding.As(err) == nil {
		f.Do += "; " + image + " may remain, delete it by hand"
	}
	return f
}

// removeOld deletes what killed runs left in the throwaway repository, and returns the tags.
// It is no fault of today's registry if that does not work.
func (v *visitor) removeOld(ctx context.Context, now time.Time) []string {
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	tags, err := remote.List(v.repository, v.options(ctx)...)
	if err != nil {
		return nil
	}
	var removed []string
	for _, tag := range tags {
		if old(tag, now) && v.removeTag(ctx, v.repository.Tag(tag)) == nil {
			removed = append(removed, tag)
		}
	}
	return removed
}

func old(tag string, now time.Time) bool {
	match := tagPattern.FindStringSubmatch(tag)
	if match == nil {
		return false
	}
	made, err := strconv.ParseInt(match[1], 10, 64)
	return err == nil && now.Sub(time.Unix(made, 0)) > leftAfter
}

func (v *visitor) removeTag(ctx context.Context, tag name.Tag) error {
	found, err := remote.Head(tag, v.options(ctx)...)
	if err != nil {
		return err
	}
	return errors.Join(remote.Delete(v.repository.Digest(found.Digest.String()), v.options(ctx)...),
		missingIsFine(remote.Delete(tag, v.options(ctx)...)))
}
