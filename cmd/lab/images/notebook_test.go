package images

import (
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"aiv.internal/conformance/cmd/lab/topology"
)

// built is an image with one layer for each name.
func built(t *testing.T, names ...string) v1.Image {
	t.Helper()
	image := empty.Image
	for _, name := range names {
		layer, err := random.Layer(64, types.OCILayer)
		if err != nil {
			t.Fatal(err)
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Comment: name}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return image
}

func TestNotebookHasNothingOfTheSuite(t *testing.T) {
	conformance := built(t, "folders", "glibc", "/bin/sh", "/probe-gpu", "/probe", "/runner")
	image, err := notebook(conformance)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, history := range config.History {
		names = append(names, history.Comment)
	}
	if !slices.Equal(names, notebookLayers) {
		t.Errorf("layers %q, expected %q", names, notebookLayers)
	}
	ours, _ := image.Layers()
	theirs, _ := conformance.Layers()
	for i := range ours {
		mine, _ := ours[i].Digest()
		if shared, _ := theirs[i].Digest(); mine != shared {
			t.Errorf("layer %d is %s, expected %s", i, mine, shared)
		}
	}
	if config.Config.Labels[topology.SimulatedAnnotation] != "true" || config.Config.User != "1000:100" {
		t.Errorf("config: %+v", config.Config)
	}
}

func TestNotebookNeedsTheLayers(t *testing.T) {
	if _, err := notebook(built(t, "folders", "/bin/sh", "/runner")); err == nil {
		t.Error("an image without a C library was accepted")
	}
}
