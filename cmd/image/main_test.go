package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// programs returns arguments that name small files as the programs and the C library.
func programs(t *testing.T) []string {
	t.Helper()
	args := []string{"--version=1.2.3"}
	for _, name := range []string{"runner", "probe", "probe-gpu", "shell"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("program "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--"+name+"="+path)
	}
	return append(args, "--glibc="+debianSystem(t))
}

func made(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func digestOf(said string) string {
	_, digest, _ := strings.Cut(said, "digest: ")
	return strings.TrimSpace(digest)
}

func TestSameDigestTwiceAndWhateverTheOutput(t *testing.T) {
	args, dir := programs(t), t.TempDir()
	first := digestOf(made(t, append(args, "--output="+filepath.Join(dir, "image"))...))
	if err := os.Chtimes(strings.TrimPrefix(args[1], "--runner="), time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	again := digestOf(made(t, append(args, "--output="+filepath.Join(dir, "image"))...)) // in place of the first
	tar := filepath.Join(dir, "image.tar")
	asTar := digestOf(made(t, append(args, "--output="+tar)...))
	if first == "" || first != again || first != asTar {
		t.Errorf("digests: %s, %s, %s", first, again, asTar)
	}
	if _, err := tarball.ImageFromPath(tar, nil); err != nil {
		t.Error(err)
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(dir, "image"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest.String() != first {
		t.Errorf("the layout holds %+v, %v", manifest, err)
	}
}

func TestWhatIsInside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	digest := digestOf(made(t, append(programs(t), "--output="+dir)...))
	hash, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	image, err := layout.Path(dir).Image(hash)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532:65532" || c.Entrypoint[0] != "/runner" || c.Labels["org.opencontainers.image.version"] != "1.2.3" || config.OS != "linux" {
		t.Errorf("config: %+v", config)
	}
	if variables := strings.Join(config.Config.Env, "\n"); !strings.Contains(variables, "NVIDIA_DRIVER_CAPABILITIES=compute,utility") || strings.Contains(variables, "NVIDIA_VISIBLE_DEVICES") {
		t.Errorf("environment: %s", variables)
	}
	files := mutate.Extract(image)
	defer files.Close()
	modes, contents := map[string]int64{}, map[string]string{}
	for reader := tar.NewReader(files); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(reader)
		name := strings.TrimSuffix(header.Name, "/")
		modes[name], contents[name] = header.Mode, string(content)
		if !header.ModTime.Equal(epoch) {
			t.Errorf("%s is of %v", header.Name, header.ModTime)
		}
	}
	if modes["tmp"] != 0o1777 || modes["runner"] != 0o755 || contents["probe-gpu"] != "program probe-gpu" || contents["probe"] != "program probe" || contents["bin/sh"] != "program shell" || contents["usr/lib/x86_64-linux-gnu/libc.so.6"] != "libc.so.6" {
		t.Errorf("modes %v, contents %v", modes, contents)
	}
}

func TestOtherFoldersAreNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), append(programs(t), "--output="+dir), io.Discard); err == nil {
		t.Error("a folder with other files was replaced")
	}
}

// secured is a registry with TLS that lets jane in.
func secured(t *testing.T) (host, ca string) {
	t.Helper()
	images := registry.New()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "jane" || password != "secret" {
			w.Header().Set("Www-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ca = filepath.Join(t.TempDir(), "ca.crt")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(server.URL, "https://"), ca
}

func TestPush(t *testing.T) {
	host, ca := secured(t)
	args := append(programs(t), "--output=", "--push="+host+"/ml-platform/conformance:1", "--ca="+ca)
	docker := func(text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("DOCKER_CONFIG", dir)
	}
	for _, variable := range []string{"CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"} {
		t.Setenv(variable, "")
	}
	docker(`{}`)
	if err := run(context.Background(), args, io.Discard); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without credentials: %v", err)
	}
	docker(`{"auths":{"` + host + `":{"username":"jane","password":"secret"}}}`)
	said := made(t, args...)
	if !strings.Contains(said, "pushed: "+host+"/ml-platform/conformance@"+digestOf(said)) {
		t.Errorf("with Docker's configuration: %s", said)
	}
	docker(`{}`)
	t.Setenv("CI_REGISTRY", "other.example/group")
	t.Setenv("CI_REGISTRY_USER", "jane")
	t.Setenv("CI_REGISTRY_PASSWORD", "secret")
	if err := run(context.Background(), args, io.Discard); err == nil {
		t.Error("credentials were sent to another registry")
	}
	t.Setenv("CI_REGISTRY", host+"/group")
	made(t, args...)
	if err := run(context.Background(), args[:len(args)-1], io.Discard); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: %v", err)
	}
}
