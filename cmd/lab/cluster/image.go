package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/images"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/topology"
)

// makeImage makes the image of runner and probe beside everything else. The channel delivers
// its error once; it is nil where the repository has no program that makes the image.
func (l Lab) makeImage(ctx context.Context) <-chan error {
	if _, err := os.Stat(filepath.Join(l.Dir.Root(), "cmd", "image")); errors.Is(err, fs.ErrNotExist) {
		l.Say.Say("there is no cmd/image, so the registry gets no image of runner and probe")
		return nil
	}
	made := make(chan error, 1)
	go func() { made <- images.MakeConformance(ctx, l.Dir) }()
	return made
}

// pushImage pushes the image when both it and the registry are there. Nodes that have pulled
// an older one under the same tag forget it.
func (l Lab) pushImage(ctx context.Context, made <-chan error) error {
	// With a fault the registry may be broken on purpose.
	if made == nil || len(faults.Active(l.Dir)) > 0 {
		return nil
	}
	return l.Say.Step("image "+topology.ConformanceImage, func() error {
		select {
		case err := <-made:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		changed, err := images.PushConformance(ctx, l.Dir)
		if err != nil || !changed {
			return err
		}
		var failed []error
		for _, worker := range topology.Nodes() {
			failed = append(failed, node.Forget(ctx, l.supervisor(), worker, topology.ConformanceImage))
		}
		return errors.Join(failed...)
	})
}
