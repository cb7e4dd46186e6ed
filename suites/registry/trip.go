package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// Time limits of a trip's stages. The image is some kilobytes.
const (
	pushLimit   = 45 * time.Second
	pullLimit   = 45 * time.Second
	deleteLimit = 30 * time.Second
)

// trip is what became of one throwaway image: pushed, pulled back and by nodes, deleted.
// Each stage has an error of its own, a finding, because each belongs to another item.
type trip struct {
	image  name.Tag
	index  v1.ImageIndex
	digest v1.Hash

	entered error // login
	pushed  error
	pulled  error
	deleted error
	// left names what a registry that deletes nothing for anybody keeps; empty otherwise.
	left string
	// nodes is what the pods saw; nil where none were asked for.
	nodes *nodePulls

	pushTime, pullTime time.Duration
	visitor            *visitor
	gone               bool
}

// newTrip prepares the image of a run; nothing is sent yet.
func newTrip(d *door, runID string, now time.Time) (*trip, error) {
	index, err := tinyImage(runID, now)
	if err != nil {
		return nil, err
	}
	digest, err := index.Digest()
	if err != nil {
		return nil, err
	}
	return &trip{image: d.repository.Tag(tagOf(runID, now)), index: index, digest: digest}, nil
}

// travel makes the whole trip. pods is called while the image is there; it may be nil.
func (t *trip) travel(ctx context.Context, d *door, who authn.Authenticator, pods func(context.Context) *nodePulls) {
	v, err := d.login(ctx, who)
	if err != nil {
		t.entered = notLetIn(err, "registry "+d.host()+" lets the answered user in")
		return
	}
	t.visitor = v
	t.push(ctx)
	if t.pushed == nil {
		var pull sync.WaitGroup
		pull.Go(func() { t.pull(ctx) })
		if pods != nil {
			t.nodes = pods(ctx)
		}
		pull.Wait()
	}
	t.remove(ctx)
}

// push sends the image.
func (t *trip) push(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pushLimit)
	defer cancel()
	start := time.Now()
	if err := remote.WriteIndex(t.image, t.index, t.visitor.options(ctx)...); err != nil {
		t.pushed = explainPush(err, t.image.Name())
	}
	t.pushTime = time.Since(start)
}

// pull gets the image back, every blob of it, and compares digests.
func (t *trip) pull(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	start := time.Now()
	if err := t.readBack(ctx); err != nil {
		t.pulled = explainPull(err, t.image.Name())
	}
	t.pullTime = time.Since(start)
}

// damage is content that is not what its digest promises.
type damage struct {
	part string
	err  error
}

func (d damage) Error() string { return fmt.Sprintf("%s: %v", d.part, d.err) }
func (d damage) Unwrap() error { return d.err }

func (t *trip) readBack(ctx context.Context) error {
	found, err := remote.Get(t.image, t.visitor.options(ctx)...)
	if err != nil {
		return err
	}
	if found.Digest != t.digest {
		return damage{"the image", fmt.Errorf("its digest is %s, and %s was pushed", found.Digest, t.digest)}
	}
	index, err := found.ImageIndex()
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, descriptor := range manifest.Manifests {
		image, err := index.Image(descriptor.Digest)
		if err != nil {
			return intact("manifest "+descriptor.Digest.String(), err)
		}
		if err := readImage(image); err != nil {
			return err
		}
	}
	return nil
}

// readImage reads all blobs of an image; the registry library compares each with its digest.
func readImage(image v1.Image) error {
	if _, err := image.RawManifest(); err != nil {
		return intact("a manifest", err)
	}
	if _, err := image.RawConfigFile(); err != nil {
		return intact("a configuration blob", err)
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		if err := readBlob(layer); err != nil {
			return intact("blob "+digest.String(), err)
		}
	}
	return nil
}

func readBlob(layer v1.Layer) error {
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(io.Discard, content)
	return err
}

// intact tells damaged content from a registry that did not answer: only the latter is one
// of the known troubles.
func intact(part string, err error) error {
	if troubleOf(err) != outbound.Odd {
		return err
	}
	return damage{part, err}
}

func explainPull(err error, image string) *finding.Finding {
	expected := "image " + image + " comes back as it was pushed"
	if wrong := (damage{}); errors.As(err, &wrong) {
		return finding.Failed(expected, "its content does not fit its digest: "+words(err), "the registry's storage, or a cache or proxy before it, damages what it holds",
			"have the registry's storage verified; until then no image in it can be relied on").Because(err)
	}
	f := explain(err, expected)
	switch troubleOf(err) {
	case unauthorized, denied:
		f.Why, f.Do = "the account may push below the repository, but not read there", "grant the account the right to read (pull)"
	case notFound, nameUnknown:
		f.Why, f.Do = "the registry lost what it had just accepted: several instances that do not share their storage, or a broken cache", "have the registry's storage looked at"
	}
	return f
}
