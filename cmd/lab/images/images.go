// Package images makes the images that the cluster itself needs, each of one static program
// and no operating system, so that nothing is fetched.
package images

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"aiv.internal/conformance/cmd/lab/state"
)

// Image is one program as an image.
type Image struct {
	// Tag is the name that pods use. The host part is nowhere: nodes have the image already.
	Tag     string
	Program string
}

// The images that every node is given.
var (
	Pause   = Image{Tag: "lab.aiv.internal/pause:1", Program: "pause"}
	CoreDNS = Image{Tag: "lab.aiv.internal/coredns:1.15.0", Program: "coredns"}
)

// All are the images that every node is given.
func All() []Image { return []Image{Pause, CoreDNS} }

// Archive is the file that holds the image.
func (i Image) Archive(dir state.Dir) string { return dir.Bin(i.Program + ".image.tar") }

// Write makes the archive, unless it is newer than its program.
func (i Image) Write(dir state.Dir) error {
	program, err := os.Stat(dir.Bin(i.Program))
	if err != nil {
		return err
	}
	if archive, err := os.Stat(i.Archive(dir)); err == nil && archive.ModTime().After(program.ModTime()) {
		return nil
	}
	image, err := i.assemble(dir)
	if err != nil {
		return err
	}
	tag, err := name.NewTag(i.Tag)
	if err != nil {
		return err
	}
	draft := i.Archive(dir) + ".new"
	if err := tarball.WriteToFile(draft, tag, image); err != nil {
		return err
	}
	return os.Rename(draft, i.Archive(dir))
}

func (i Image) assemble(dir state.Dir) (v1.Image, error) {
	content, err := os.ReadFile(dir.Bin(i.Program))
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	header := &tar.Header{Name: i.Program, Mode: 0o755, Size: int64(len(content)), ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
	if err := archive.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	opened, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(layer.Bytes())), nil
	}, tarball.WithCompressionLevel(1))
	if err != nil {
		return nil, err
	}
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(base, opened)
	if err != nil {
		return nil, err
	}
	return mutate.Config(image, v1.Config{
		Entrypoint: []string{filepath.Join("/", i.Program)},
		User:       "65532:65532",
	})
}
