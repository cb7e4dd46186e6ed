package main

import (
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"aiv.internal/conformance/framework/answers"
)

func newImagesCommand() *cobra.Command {
	var t target
	command := &cobra.Command{
		Use:   "images",
		Short: "List the images that a run pulls, for mirroring and allow-lists",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, file, err := t.load()
			if err != nil {
				return err
			}
			for _, image := range images(file) {
				fmt.Fprintln(command.OutOrStdout(), image)
			}
			return nil
		},
	}
	t.bind(command)
	return command
}

// images returns all images that the answers name, each once.
func images(file *answers.File) []string {
	all := []string{file.Runner.Image, file.GPU.NotebookImage, file.Readiness.NotebookImage}
	for _, custom := range file.Custom {
		if custom.Image != nil {
			all = append(all, custom.Image.Image)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(image string) bool { return image == "" })
}

// mirrored returns the image as a mirror at host has it: under the same path. Without a host
// it is the image itself.
func mirrored(image, host string) (string, error) {
	if host == "" || image == "" {
		return image, nil
	}
	reference, err := name.ParseReference(image)
	if err != nil {
		return "", fmt.Errorf("the image of the probe: %w", err)
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return "", fmt.Errorf("--image-registry: %w", err)
	}
	path := registry.RegistryStr() + "/" + reference.Context().RepositoryStr()
	if digest, pinned := reference.(name.Digest); pinned {
		return path + "@" + digest.DigestStr(), nil
	}
	return path + ":" + reference.Identifier(), nil
}
