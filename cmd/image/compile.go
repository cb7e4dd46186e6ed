package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is one executable of the image.
type program struct {
	// name is its path in the image, without the leading slash.
	name string
	file string
}

// compile builds the programs that were not given, and returns all in the order of their
// layers: what changes least comes first, so that nodes keep those layers.
func compile(ctx context.Context, o options, folder string) ([]program, error) {
	programs := []program{
		{"bin/sh", o.shell},
		{"probe-gpu", o.probeGPU},
		{"probe", o.probe},
		{"runner", o.runner},
	}
	sources := map[string]string{"bin/sh": "./cmd/shell", "probe-gpu": "./cmd/probe-gpu", "probe": "./cmd/probe", "runner": "./cmd/runner"}
	for i := range programs {
		p := &programs[i]
		if p.file != "" {
			continue
		}
		p.file = filepath.Join(folder, filepath.Base(p.name))
		if err := build(ctx, o, sources[p.name], p.file); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// build makes a program, static but for /probe-gpu, whose bytes depend on the sources and the Go version alone:
// no paths of this machine, no build ID, no VCS state.
func build(ctx context.Context, o options, source, file string) error {
	flags := "-s -w -buildid="
	if source == "./cmd/runner" {
		flags += " -X main.version=" + o.version
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", file, source)
	command.Dir = o.source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+o.architecture, "GOAMD64=", "GOFLAGS=-mod=readonly")
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, said)
	}
	return nil
}

// describe names the sources' version as git knows it; "dev" outside a repository.
func describe(ctx context.Context, source string) string {
	command := exec.CommandContext(ctx, "git", "-C", source, "describe", "--tags", "--always", "--dirty")
	said, err := command.Output()
	if err != nil {
		return "dev"
	}
	return strings.TrimSpace(string(said))
}
