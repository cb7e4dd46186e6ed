package images

import (
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"aiv.internal/conformance/cmd/lab/topology"
)

// Notebook is the image that users' notebooks would run in: a C library and a shell, and
// nothing of the suite. The answer gpu.notebookImage may name it.
const Notebook = topology.Registry + "/" + topology.RegistryRepository + "/notebook:lab"

// notebookLayers are the layers that it shares with the image of runner and probe, as their
// history calls them (cmd/image).
var notebookLayers = []string{"folders", "glibc", "/bin/sh"}

// notebook makes the image out of layers of the image of runner and probe.
func notebook(conformance v1.Image) (v1.Image, error) {
	config, err := conformance.ConfigFile()
	if err != nil {
		return nil, err
	}
	layers, err := conformance.Layers()
	if err != nil {
		return nil, err
	}
	if len(config.History) != len(layers) {
		return nil, fmt.Errorf("the image of runner and probe has %d layers and says of %d what they are: run `make image`", len(layers), len(config.History))
	}
	var additions []mutate.Addendum
	for i, history := range config.History {
		if slices.Contains(notebookLayers, history.Comment) {
			additions = append(additions, mutate.Addendum{Layer: layers[i], History: history, MediaType: types.OCILayer})
		}
	}
	if len(additions) != len(notebookLayers) {
		return nil, fmt.Errorf("the image of runner and probe lacks one of the layers %q: run `make image`", notebookLayers)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err = mutate.ConfigFile(base, &v1.ConfigFile{OS: config.OS, Architecture: config.Architecture, Created: config.Created, Config: v1.Config{
		User:       "1000:100",
		Cmd:        []string{"/bin/sh"},
		WorkingDir: "/tmp",
		Env:        []string{"PATH=/usr/bin:/bin", "HOME=/tmp"},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "notebook (simulated)",
			"org.opencontainers.image.description": "Stands in for the image of users' notebooks in the lab",
			topology.SimulatedAnnotation:           "true",
		},
	}})
	if err != nil {
		return nil, err
	}
	return mutate.Append(base, additions...)
}
