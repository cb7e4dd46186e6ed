// Package cluster brings the whole lab up and down and says how it is. It knows the order of
// things and leaves each thing to its own package.
package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"aiv.internal/conformance/cmd/lab/answers"
	"aiv.internal/conformance/cmd/lab/build"
	"aiv.internal/conformance/cmd/lab/console"
	"aiv.internal/conformance/cmd/lab/controlplane"
	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/firewall"
	"aiv.internal/conformance/cmd/lab/gpu"
	"aiv.internal/conformance/cmd/lab/images"
	"aiv.internal/conformance/cmd/lab/ingress"
	"aiv.internal/conformance/cmd/lab/kubeconfig"
	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/policy"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/require"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/storage"
	"aiv.internal/conformance/cmd/lab/topology"
)

// startDeadline is for everything but building; it is met in well under a minute on a machine
// that is not busy.
const startDeadline = 4 * time.Minute

// Lab is one lab: its state folder and where it reports.
type Lab struct {
	Dir state.Dir
	Say *console.Console
}

func (l Lab) supervisor() process.Supervisor { return process.Supervisor{Dir: l.Dir} }

// Up builds what is missing, clears the remains of a lab that died, starts what does not run,
// and returns when the cluster is ready for use. Doing it twice does nothing the second time.
// full adds what takes long to build; a lab that is full stays it.
func (l Lab) Up(ctx context.Context, full bool) error {
	if err := require.Machine(); err != nil {
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
	if full, err = l.toBeFull(full, l.heartBeats()); err != nil {
		return err
	}
	if err := build.Programs(ctx, l.Dir, full, l.Say); err != nil {
		return err
	}
	for _, image := range images.All() {
		if err := image.Write(l.Dir); err != nil {
			return fmt.Errorf("image %s: %w", image.Tag, err)
		}
	}
	made := l.makeImage(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, startDeadline, fmt.Errorf("the lab did not come up in %s", startDeadline))
	defer cancel()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if full {
		if err := l.Dir.MakeFull(); err != nil {
			return err
		}
	}
	return l.start(ctx, made)
}

// toBeFull says whether the lab is to be a full one, as asked or because it is one that lives. A
// core lab that lives with faults cannot become one; those of a dead lab go with its remains.
func (l Lab) toBeFull(asked, lives bool) (bool, error) {
	if !lives || l.Dir.Full() {
		return asked || lives, nil
	}
	if active := faults.Active(l.Dir); asked && len(active) > 0 {
		return false, fmt.Errorf("faults are planted (%v), and a full lab is made of a healthy one: run `lab mend` first", active)
	}
	return asked, nil
}

// alone returns nil unless another checkout's lab runs here: it has the same names and
// addresses, and to change these would break it.
func (l Lab) alone() error {
	others := l.supervisor().Others()
	if len(others) == 0 {
		return nil
	}
	return fmt.Errorf("another lab runs on this machine, and there is room for one: "+
		"take it down with %s=%s lab down", state.EnvironmentVariable, others[0])
}

// prepare leaves either a lab whose heart beats or a clean slate with new keys.
func (l Lab) prepare(ctx context.Context) error {
	if l.heartBeats() {
		return pki.Complete(l.Dir)
	}
	if l.remains() {
		if err := l.Say.Step("cleared the remains of an earlier lab", func() error { return l.clear(ctx) }); err != nil {
			return err
		}
		if err := l.Dir.Make(); err != nil {
			return err
		}
	}
	if err := saveSysctls(l.Dir, l.supervisor().Anywhere()); err != nil {
		return err
	}
	if err := pki.Create(l.Dir); err != nil {
		return fmt.Errorf("keys and certificates: %w", err)
	}
	if err := kubeconfig.WriteComponents(l.Dir); err != nil {
		return err
	}
	return errors.Join(newSecret(l.Dir.RegistryPassword()), directory.NewCredential(l.Dir, time.Now()))
}

// heartBeats says whether the parts run that cannot be restarted under a living cluster.
func (l Lab) heartBeats() bool {
	for _, name := range []string{controlplane.Etcd, controlplane.APIServer, node.Holder} {
		if _, running := l.supervisor().Find(name); !running {
			return false
		}
	}
	return network.Present()
}

// remains says whether something of an earlier lab may be left.
func (l Lab) remains() bool {
	if _, err := os.Stat(l.Dir.PKI(pki.ClusterCA + ".crt")); err == nil {
		return true
	}
	return len(l.supervisor().Names()) > 0 || network.Present()
}

func newSecret(path string) error {
	return os.WriteFile(path, []byte(rand.Text()+"\n"), 0o600)
}

func (l Lab) start(ctx context.Context, made <-chan error) error {
	supervisor := l.supervisor()
	err := l.Say.Step("network "+topology.Underlay+" on bridge "+topology.Bridge, func() error {
		if err := errors.Join(network.Up(ctx), network.AddHosts(network.HostsFile), node.Hold(ctx, supervisor)); err != nil {
			return err
		}
		return firewall.Apply(ctx, l.Dir.FaultActive)
	})
	if err != nil {
		return err
	}
	apiReady := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := l.Say.Step("control plane, Kubernetes "+build.KubernetesVersion+" at "+topology.APIServer, func() error {
			return controlplane.Start(ctx, supervisor)
		})
		if err == nil {
			close(apiReady)
		}
		return err
	})
	for _, worker := range topology.Nodes() {
		group.Go(func() error { return l.startNode(ctx, worker, apiReady) })
	}
	group.Go(func() error {
		if err := l.startRegistry(ctx); err != nil {
			return err
		}
		return l.pushImage(ctx, made)
	})
	group.Go(func() error { return l.startEntra(ctx) })
	group.Go(func() error { return l.startCompany(ctx) })
	group.Go(func() error { return l.startDNS(ctx) })
	group.Go(func() error { return l.fill(ctx, apiReady) })
	if err := group.Wait(); err != nil {
		return err
	}
	return l.finish()
}

func (l Lab) startNode(ctx context.Context, worker topology.Node, apiReady <-chan struct{}) error {
	supervisor := l.supervisor()
	if err := node.StartRuntime(ctx, supervisor, worker); err != nil {
		return err
	}
	select {
	case <-apiReady:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return l.Say.Step("node "+worker.Name+" at "+worker.IP, func() error {
		if err := node.StartAgents(ctx, supervisor, worker); err != nil {
			return err
		}
		if err := errors.Join(storage.StartNode(ctx, supervisor, worker), gpu.StartNode(ctx, supervisor, worker),
			policy.StartNode(ctx, supervisor, worker)); err != nil {
			return err
		}
		return l.waitNode(ctx, worker)
	})
}

// fill seeds the cluster and starts the storage controllers, which need the seed.
func (l Lab) fill(ctx context.Context, apiReady <-chan struct{}) error {
	select {
	case <-apiReady:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	cluster, err := l.connect()
	if err != nil {
		return err
	}
	if active := faults.Active(l.Dir); len(active) > 0 {
		// Seeding would quietly mend some of them.
		l.Say.Say("faults are planted, so the seed is left as it is: %v (run `lab mend`)", active)
	} else if err := l.seed(ctx, cluster); err != nil {
		return err
	}
	if err := storage.StartControllers(ctx, l.supervisor()); err != nil {
		return err
	}
	if err := l.startIngress(ctx, cluster); err != nil {
		return err
	}
	return l.Say.Step("cluster DNS, storage and simulated GPUs answer", func() error { return l.waitServices(ctx, cluster) })
}

func (l Lab) seed(ctx context.Context, cluster *seed.Cluster) error {
	err := l.Say.Step("namespace "+topology.Namespace+", quota, rights, storage classes", func() error {
		return errors.Join(seed.All(ctx, cluster, l.Dir), ingress.Seed(ctx, cluster, l.Dir))
	})
	return errors.Join(err, answers.Write(l.Dir))
}

// lock keeps two commands from changing the lab at the same time. The lock ends with the
// process, however that ends.
func (l Lab) lock() (unlock func(), err error) {
	file, err := os.OpenFile(l.Dir.Path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := tryLock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("another lab command is at work (%s is locked): wait for it to end: %w", file.Name(), err), file.Close())
	}
	return func() { file.Close() }, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
