package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is the unprivileged user of the image: a number, because Kubernetes can tell only from
// a number that it is not root.
const user = "65532:65532"

// epoch is the time of every file and of the image itself: a real one would change the digest.
var epoch = time.Unix(0, 0).UTC()

// labels of the image (OCI image specification, annotations).
func labels(version string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "aiv-conformance",
		"org.opencontainers.image.description": "Checks a cluster against the AIV production requirements checklist",
		"org.opencontainers.image.version":     version,
	}
}

// assemble makes the image: a layer with a writable /tmp, one with the C library, and one for
// each program.
func assemble(library []file, programs []program, o options) (v1.Image, error) {
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	additions := []mutate.Addendum{}
	add := func(comment string, files []file) error {
		layer, err := layerOf(files)
		if err != nil {
			return err
		}
		additions = append(additions, mutate.Addendum{Layer: layer, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "cmd/image", Comment: comment}})
		return nil
	}
	if err := add("folders", folders()); err != nil {
		return nil, err
	}
	if err := add("glibc", library); err != nil {
		return nil, err
	}
	for _, p := range programs {
		content, err := os.ReadFile(p.file)
		if err != nil {
			return nil, err
		}
		if err := add("/"+p.name, []file{{name: p.name, mode: 0o755, content: content}}); err != nil {
			return nil, err
		}
	}
	image, err := mutate.Append(image, additions...)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, config(image, o))
}

// config says how the image is run.
func config(image v1.Image, o options) *v1.ConfigFile {
	present, err := image.ConfigFile()
	if err != nil {
		present = &v1.ConfigFile{}
	}
	present = present.DeepCopy()
	present.OS, present.Architecture = "linux", o.architecture
	present.Created = v1.Time{Time: epoch}
	present.Config = v1.Config{
		User:       user,
		Entrypoint: []string{"/runner"},
		WorkingDir: "/tmp",
		Env:        environmentOf(),
		Labels:     labels(o.version),
	}
	return present
}

// environmentOf is the environment of the image's programs. NVIDIA_VISIBLE_DEVICES is not in it:
// which devices a pod sees is for the device plugin to say.
func environmentOf() []string {
	return []string{
		// "/" makes `runner` and `probe` work in a CI job's script.
		"PATH=/:/bin:/usr/bin",
		"HOME=/tmp",
		// What NVIDIA's runtimes bring into the container: CUDA, and NVML.
		"NVIDIA_DRIVER_CAPABILITIES=compute,utility",
		"LD_LIBRARY_PATH=" + strings.Join(driverFolders, ":"),
	}
}

// file is an entry of a layer; a name that ends in a slash is a folder.
type file struct {
	name    string
	mode    int64
	content []byte
}

// folders are what programs expect of a root filesystem: where to write, and who they are.
func folders() []file {
	return []file{
		{name: "bin/", mode: 0o755},
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, content: []byte("root:x:0:\nnonroot:x:65532:\n")},
		{name: "etc/passwd", mode: 0o644, content: []byte("root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n")},
		{name: "tmp/", mode: 0o1777},
	}
}

// layerOf packs files, which are in order, with fixed times and owners.
func layerOf(files []file) (v1.Layer, error) {
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: epoch,
			Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if strings.HasSuffix(f.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
		if _, err := writer.Write(f.content); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	content := packed.Bytes()
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
