// Image builds the one OCI image of this project, with the runner as /runner and the probes
// as /probe and /probe-gpu, without Docker and without a base image, and pushes it where it is
// told to. The C library that NVIDIA's driver needs comes from this machine's Debian packages. The same sources
// and the same packages make the same digest, whenever and wherever it is built.
//
// Credentials for --push are CI_REGISTRY_USER and CI_REGISTRY_PASSWORD where CI_REGISTRY is the
// registry's host or unset, and else those of the Docker configuration (DOCKER_CONFIG).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// options are the command line.
type options struct {
	output, push, ca      string
	version, architecture string
	runner, shell         string
	probe, probeGPU       string
	source, glibc         string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&o.output, "output", "bin/image", "folder for an OCI layout, or a file ending in .tar for docker load; empty for none")
	flags.StringVar(&o.push, "push", "", "push the image under this `REF` as well")
	flags.StringVar(&o.ca, "ca", "", "`FILE` with the registry's CA, beside the system's")
	flags.StringVar(&o.version, "version", "", "version that `runner version` says (default: git describe)")
	flags.StringVar(&o.architecture, "arch", "amd64", "architecture of the nodes")
	flags.StringVar(&o.source, "source", ".", "the repository")
	flags.StringVar(&o.glibc, "glibc", "/", "root `FOLDER` of the Debian system, or of Debian's unpacked packages, that the C library is taken from")
	flags.StringVar(&o.runner, "runner", "", "take this runner instead of building one")
	flags.StringVar(&o.probe, "probe", "", "take this probe instead of building one")
	flags.StringVar(&o.probeGPU, "probe-gpu", "", "take this probe of GPUs instead of building one")
	flags.StringVar(&o.shell, "shell", "", "take this shell instead of building one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("what is %q? See image -h", flags.Args())
	}
	if o.version == "" {
		o.version = describe(ctx, o.source)
	}
	library, err := glibc(o.glibc, o.architecture)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "conformance-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	programs, err := compile(ctx, o, folder)
	if err != nil {
		return err
	}
	image, err := assemble(library, programs, o)
	if err != nil {
		return fmt.Errorf("assemble the image: %w", err)
	}
	if o.output != "" {
		if err := save(image, o.output); err != nil {
			return fmt.Errorf("save the image to %s: %w", o.output, err)
		}
		fmt.Fprintf(out, "image: %s\n", filepath.Clean(o.output))
	}
	if o.push != "" {
		reference, err := push(ctx, image, o.push, o.ca)
		if err != nil {
			return fmt.Errorf("push the image to %s: %w", o.push, err)
		}
		fmt.Fprintf(out, "pushed: %s\n", reference)
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "digest: %s\n", digest)
	return nil
}
