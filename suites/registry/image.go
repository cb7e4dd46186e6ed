package registry

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// command is what the throwaway image runs.
const command = "/exit"

// tinyImage builds the image that is pushed and pulled: one program of some hundred bytes
// for each architecture. mark makes its blobs differ from those of all other runs, so that
// neither the registry nor a node has them already.
//
// The media types are Docker's: every registry and container runtime takes them, while
// older registries refuse those of OCI.
func tinyImage(mark string, now time.Time) (v1.ImageIndex, error) {
	now = now.UTC().Truncate(time.Second)
	index := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for _, architecture := range slices.Sorted(maps.Keys(exitCode)) {
		image, err := imageFor(architecture, mark, now)
		if err != nil {
			return nil, fmt.Errorf("build the throwaway image for %s: %w", architecture, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	return index, nil
}

func imageFor(architecture, mark string, now time.Time) (v1.Image, error) {
	archive, err := filesOf(architecture, mark, now)
	if err != nil {
		return nil, err
	}
	layer, err := partial.UncompressedToLayer(files(archive))
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Created = v1.Time{Time: now}
	config.Config = v1.Config{
		Entrypoint: []string{command},
		// A number: "runAsNonRoot" cannot judge a name.
		User:   "65532:65532",
		Labels: map[string]string{"org.opencontainers.image.description": "Throwaway image of a conformance run; delete it.", "aiv.conformance/run": mark},
	}
	return mutate.ConfigFile(image, config)
}

func filesOf(architecture, mark string, now time.Time) ([]byte, error) {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, file := range []struct {
		name    string
		mode    int64
		content []byte
	}{
		{"exit", 0o755, exitProgram(architecture)},
		{"run", 0o644, []byte(mark + "\n")},
	} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.content)), ModTime: now}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(file.content); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return out.Bytes(), err
}

// files is a tar archive as an image's layer.
type files []byte

func (f files) DiffID() (v1.Hash, error) {
	hash, _, err := v1.SHA256(bytes.NewReader(f))
	return hash, err
}

func (f files) Uncompressed() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f)), nil }

func (f files) MediaType() (types.MediaType, error) { return types.DockerLayer, nil }
