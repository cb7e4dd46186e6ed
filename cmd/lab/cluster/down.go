package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"aiv.internal/conformance/cmd/lab/csi"
	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/require"
	"aiv.internal/conformance/cmd/lab/state"
)

// Down ends the lab and removes everything that it made; what was built stays in .lab/bin for
// the next time, unless all is true.
func (l Lab) Down(ctx context.Context, all bool) error {
	if !exists(string(l.Dir)) && !network.Present() {
		l.Say.Say("there is no lab")
		return nil
	}
	// Root is needed to take down what root made; packages are not.
	var missing *require.MissingError
	if err := require.Machine(); err != nil && !errors.As(err, &missing) {
		return err
	}
	if err := l.alone(); err != nil {
		return err
	}
	if err := l.Dir.Make(); err != nil {
		return err
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.Say.Step("stopped the lab and removed what it made", func() error { return l.clear(ctx) }); err != nil {
		return err
	}
	if all {
		return os.RemoveAll(string(l.Dir))
	}
	return os.Remove(l.Dir.Path("lock"))
}

// clear stops every process and removes every trace but .lab/bin and the lock.
func (l Lab) clear(ctx context.Context) error {
	if _, err := l.supervisor().KillAll(); err != nil {
		return err
	}
	// Containers were not started by us but by the shims: their groups know them.
	bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := process.Until(bounded, func(context.Context) error { return node.RemoveCgroups() }); err != nil {
		return fmt.Errorf("control groups of the nodes: %w", err)
	}
	return errors.Join(
		csi.CleanUp(l.Dir.Storage()),
		network.Down(ctx),
		network.RemoveHosts(network.HostsFile),
		restoreSysctls(l.Dir),
		l.removeMountPoints(),
		removeState(l.Dir),
	)
}

// removeMountPoints leaves the folders alone while a lab in a container of its own may use
// them: to remove a mount point unmounts it in all other mount namespaces.
func (l Lab) removeMountPoints() error {
	if len(l.supervisor().Anywhere()) > 0 {
		return nil
	}
	return node.RemoveMountPoints(l.Dir)
}

// removeState removes the state folder's content but what was built, and the lock that the
// caller holds.
func removeState(dir state.Dir) error {
	entries, err := os.ReadDir(string(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var failed []error
	for _, entry := range entries {
		if entry.Name() != "bin" && entry.Name() != "lock" {
			failed = append(failed, os.RemoveAll(dir.Path(entry.Name())))
		}
	}
	return errors.Join(failed...)
}
