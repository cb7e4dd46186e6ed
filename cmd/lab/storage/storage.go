// Package storage runs the processes behind the lab's storage classes: the driver's
// controller and its part on each node, and upstream's sidecars beside the controller.
package storage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"aiv.internal/conformance/cmd/lab/csi"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// SnapshotController is the name of the process that serves all drivers' snapshots.
const SnapshotController = "snapshot-controller"

// Drivers are the drivers of the lab, by short name.
var Drivers = map[string]string{"rbd": csi.RBD, "cephfs": csi.CephFS}

// Names of the processes of a driver.
func Controller(driver string) string  { return "csi-" + driver + "-controller" }
func Node(driver, node string) string  { return "csi-" + driver + "-" + node }
func Provisioner(driver string) string { return "csi-" + driver + "-provisioner" }
func Resizer(driver string) string     { return "csi-" + driver + "-resizer" }
func Snapshotter(driver string) string { return "csi-" + driver + "-snapshotter" }

// controllerSockets is where the controllers listen, as the lab's mount namespace sees it.
const controllerSockets = "/var/lib/kubelet/controllers"

func socket(driver string) string { return filepath.Join(controllerSockets, driver+".sock") }

// StartControllers starts the drivers' controllers, the sidecars and the snapshot
// controller. The API server must be ready, and the snapshots' definitions applied.
func StartControllers(ctx context.Context, supervisor process.Supervisor) error {
	if err := os.MkdirAll(supervisor.Dir.Path("nodes", controllerSockets), 0o755); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for short, driver := range Drivers {
		group.Go(func() error { return startController(ctx, supervisor, short, driver) })
	}
	group.Go(func() error {
		return start(ctx, supervisor, SnapshotController, "", nil,
			supervisor.Dir.Bin("snapshot-controller"), "--kubeconfig="+supervisor.Dir.AdminKubeconfig(),
			"--http-endpoint=", "--kube-api-qps=100", "--kube-api-burst=200")
	})
	return group.Wait()
}

func startController(ctx context.Context, supervisor process.Supervisor, short, driver string) error {
	dir := supervisor.Dir
	answers := func(ctx context.Context) error { return dial(ctx, dir.Path("nodes", socket(short))) }
	err := start(ctx, supervisor, Controller(short), "", answers,
		dir.Bin("lab"), "serve", "csi", "--mode=controller", "--driver="+driver,
		"--endpoint=unix://"+socket(short), "--state-dir="+dir.Storage())
	if err != nil {
		return err
	}
	common := []string{
		"--csi-address=" + socket(short), "--kubeconfig=" + dir.AdminKubeconfig(),
		"--kube-api-qps=100", "--kube-api-burst=200",
	}
	for name, sidecar := range map[string][]string{
		Provisioner(short): {dir.Bin("csi-provisioner"), "--extra-create-metadata", "--retry-interval-max=10s", "--default-fstype=xfs"},
		Resizer(short):     {dir.Bin("csi-resizer"), "--retry-interval-max=10s", "--handle-volume-inuse-error=false"},
		Snapshotter(short): {dir.Bin("csi-snapshotter"), "--retry-interval-max=10s"},
	} {
		if err := start(ctx, supervisor, name, "", nil, append(sidecar, common...)...); err != nil {
			return err
		}
	}
	return nil
}

// dial tries a socket by its path relative to its folder's file descriptor, because the
// state folder's own path may be longer than a socket address can hold (unix(7): 108 bytes).
func dial(ctx context.Context, path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path)))
	if err != nil {
		return err
	}
	return connection.Close()
}

// StartNode starts the part of each driver that mounts volumes on the node. It waits for the
// kubelet's registration folder by itself.
func StartNode(ctx context.Context, supervisor process.Supervisor, worker topology.Node) error {
	var failed []error
	for short, driver := range Drivers {
		root := node.KubeletRoot(worker.Name)
		for _, folder := range []string{"plugins/" + driver, "plugins_registry"} {
			failed = append(failed, os.MkdirAll(filepath.Join(supervisor.Dir.Path("nodes", root), folder), 0o750))
		}
		failed = append(failed, start(ctx, supervisor, Node(short, worker.Name), worker.Name, nil,
			supervisor.Dir.Bin("lab"), "serve", "csi", "--mode=node", "--driver="+driver, "--node="+worker.Name,
			"--kubelet-dir="+root, "--state-dir="+supervisor.Dir.Storage()))
	}
	return errors.Join(failed...)
}

func start(ctx context.Context, supervisor process.Supervisor, name, worker string, ready func(context.Context) error, command ...string) error {
	entered, err := node.Enter(supervisor, worker, command...)
	if err != nil {
		return err
	}
	return supervisor.Start(ctx, process.Spec{Name: name, Command: entered, Ready: ready})
}
