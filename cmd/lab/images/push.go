package images

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Layout is where the repository's own image is made, an OCI layout.
func Layout(dir state.Dir) string { return filepath.Join(dir.Root(), "bin", "image") }

// MakeConformance makes the image of runner and probe with the repository's own program, as
// `make image` does. Without a Go toolchain an image that is there already has to do.
func MakeConformance(ctx context.Context, dir state.Dir) error {
	if _, err := exec.LookPath("go"); err != nil {
		if _, err := os.Stat(Layout(dir)); err == nil {
			return nil
		}
		return errors.New("the Go toolchain is not on PATH: install it, or run `make image` elsewhere and copy bin/image here")
	}
	command := exec.CommandContext(ctx, "go", "run", "-trimpath", "-buildvcs=false", "./cmd/image", "--arch", runtime.GOARCH)
	command.Dir = dir.Root()
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("make the image of runner and probe: %w\n%s", err, output)
	}
	return nil
}

// Push pushes the image of runner and probe, and the notebook's, to the lab's registry. It
// returns the tags under which the registry had another one.
func Push(ctx context.Context, dir state.Dir) (changed []string, err error) {
	conformance, err := conformance(dir)
	if err != nil {
		return nil, err
	}
	notebook, err := notebook(conformance)
	if err != nil {
		return nil, err
	}
	options, err := access(ctx, dir)
	if err != nil {
		return nil, err
	}
	for tag, image := range map[string]v1.Image{topology.ConformanceImage: conformance, Notebook: notebook} {
		replaced, err := push(tag, image, options)
		if err != nil {
			return nil, fmt.Errorf("push %s: %w", tag, err)
		}
		if replaced {
			changed = append(changed, tag)
		}
	}
	return changed, nil
}

// push pushes an image unless the registry has it, and says whether it had another one.
func push(reference string, image v1.Image, options []remote.Option) (replaced bool, err error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return false, err
	}
	digest, err := image.Digest()
	if err != nil {
		return false, err
	}
	if there, err := remote.Head(tag, options...); err == nil {
		if there.Digest == digest {
			return false, nil
		}
		replaced = true
	}
	return replaced, remote.Write(tag, image, options...)
}

// conformance reads the one image of the layout.
func conformance(dir state.Dir) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(Layout(dir))
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s holds %d images, expected one: run `make image`", Layout(dir), len(manifest.Manifests))
	}
	return index.Image(manifest.Manifests[0].Digest)
}

// access is how the lab's registry is reached by the user who may push.
func access(ctx context.Context, dir state.Dir) ([]remote.Option, error) {
	ca, err := os.ReadFile(dir.CA())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.Proxy = nil
	password, err := os.ReadFile(dir.RegistryPassword())
	if err != nil {
		return nil, err
	}
	return []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(transport),
		remote.WithAuth(&authn.Basic{Username: topology.RegistryUser, Password: strings.TrimSpace(string(password))}),
	}, nil
}
