package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// localTag is what `docker load` names an image from a tar file.
const localTag = "aiv.internal/conformance:latest"

// save writes the image to a tar file or, by rename, to an OCI layout in place of an older one.
func save(image v1.Image, output string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	if strings.HasSuffix(output, ".tar") {
		tag, err := name.NewTag(localTag)
		if err != nil {
			return err
		}
		return tarball.WriteToFile(output, tag, image)
	}
	if err := onlyLayout(output); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(output), ".image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	path, err := layout.Write(fresh, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendImage(image); err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(output); err != nil {
		return err
	}
	return os.Rename(fresh, output)
}

// onlyLayout refuses to replace a folder that holds anything but an OCI layout.
func onlyLayout(output string) error {
	entries, err := os.ReadDir(output)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(output, "oci-layout")); err != nil {
		return fmt.Errorf("the folder holds something else than an image; choose another one")
	}
	return nil
}

// push uploads the image and returns its reference by digest.
func push(ctx context.Context, image v1.Image, to, ca string) (string, error) {
	reference, err := name.ParseReference(to)
	if err != nil {
		return "", err
	}
	transport, err := trusting(ca)
	if err != nil {
		return "", err
	}
	err = remote.Write(reference, image, remote.WithContext(ctx), remote.WithTransport(transport),
		remote.WithAuthFromKeychain(authn.NewMultiKeychain(environment{}, authn.DefaultKeychain)))
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	return reference.Context().Digest(digest.String()).String(), nil
}

// trusting returns a transport that trusts the CA in a file beside the system's.
func trusting(ca string) (http.RoundTripper, error) {
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	if ca == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", ca)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// environment is a keychain of the variables that GitLab sets for its registry.
type environment struct{}

// Resolve implements authn.Keychain.
func (environment) Resolve(target authn.Resource) (authn.Authenticator, error) {
	user, password := os.Getenv("CI_REGISTRY_USER"), os.Getenv("CI_REGISTRY_PASSWORD")
	host, _, _ := strings.Cut(os.Getenv("CI_REGISTRY"), "/")
	if user == "" || password == "" || host != "" && host != target.RegistryStr() {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: user, Password: password}, nil
}
