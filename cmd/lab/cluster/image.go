package cluster

import (
	"context"
	"errors"

	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/images"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/topology"
)

// makeImage makes the image of runner and probe beside everything else. The channel delivers
// its error once.
func (l Lab) makeImage(ctx context.Context) <-chan error {
	made := make(chan error, 1)
	go func() { made <- images.MakeConformance(ctx, l.Dir) }()
	return made
}

// pushImage pushes the image, and the notebook's that is made of it, when both it and the
// registry are there. Nodes that have pulled an older one under the same tag forget it.
func (l Lab) pushImage(ctx context.Context, made <-chan error) error {
	// With a fault the registry may be broken on purpose.
	if len(faults.Active(l.Dir)) > 0 {
		return nil
	}
	return l.Say.Step("images "+topology.ConformanceImage+" and "+images.Notebook, func() error {
		select {
		case err := <-made:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		changed, err := images.Push(ctx, l.Dir)
		if err != nil {
			return err
		}
		var failed []error
		for _, image := range changed {
			for _, worker := range topology.Nodes() {
				failed = append(failed, node.Forget(ctx, l.supervisor(), worker, image))
			}
		}
		return errors.Join(failed...)
	})
}
