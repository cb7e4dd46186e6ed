package cluster

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/cmd/lab/controlplane"
	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/gpu"
	"aiv.internal/conformance/cmd/lab/policy"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/storage"
	"aiv.internal/conformance/cmd/lab/topology"
)

func (l Lab) connect() (*seed.Cluster, error) {
	config, err := controlplane.AdminConfig(l.Dir)
	if err != nil {
		return nil, err
	}
	return seed.Connect(config)
}

// waitNode waits until the node is ready, unless a planted fault keeps it from that.
func (l Lab) waitNode(ctx context.Context, worker topology.Node) error {
	if len(faults.Active(l.Dir)) > 0 {
		return nil
	}
	cluster, err := l.connect()
	if err != nil {
		return err
	}
	err = process.Until(ctx, func(ctx context.Context) error { return nodeReady(ctx, cluster, worker.Name) })
	if err != nil {
		return fmt.Errorf("node %s is not ready: %w: read %s", worker.Name, err, l.Dir.Log("kubelet-"+worker.Name))
	}
	return nil
}

func nodeReady(ctx context.Context, cluster *seed.Cluster, name string) error {
	found, err := cluster.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		if condition.Status == corev1.ConditionTrue {
			return nil
		}
		return fmt.Errorf("%s: %s", condition.Reason, condition.Message)
	}
	return fmt.Errorf("the node has not reported yet")
}

// waitServices waits for what a conformance run needs of the cluster: DNS, the drivers known
// to each node, the GPU nodes' devices and labels, and the namespace's own service account.
func (l Lab) waitServices(ctx context.Context, cluster *seed.Cluster) error {
	if len(faults.Active(l.Dir)) > 0 {
		return nil
	}
	for _, condition := range []func(context.Context, *seed.Cluster) error{dnsReady, domainKnown, driversKnown, labelGPUs, gpusReady, accountsReady, policiesEnforced} {
		if err := process.Until(ctx, func(ctx context.Context) error { return condition(ctx, cluster) }); err != nil {
			return err
		}
	}
	return nil
}

func dnsReady(ctx context.Context, cluster *seed.Cluster) error {
	dns, err := cluster.Client.AppsV1().Deployments(metav1.NamespaceSystem).Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if dns.Status.ObservedGeneration < dns.Generation || dns.Status.ReadyReplicas < *dns.Spec.Replicas {
		return fmt.Errorf("cluster DNS: %d of %d replicas are ready", dns.Status.ReadyReplicas, *dns.Spec.Replicas)
	}
	return nil
}

func driversKnown(ctx context.Context, cluster *seed.Cluster) error {
	for _, worker := range topology.Nodes() {
		known, err := cluster.Client.StorageV1().CSINodes().Get(ctx, worker.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		var names []string
		for _, driver := range known.Spec.Drivers {
			names = append(names, driver.Name)
		}
		for _, driver := range storage.Drivers {
			if !slices.Contains(names, driver) {
				return fmt.Errorf("driver %s is not registered on %s", driver, worker.Name)
			}
		}
	}
	return nil
}

// labelGPUs writes the labels of the GPU nodes, which must have registered.
func labelGPUs(ctx context.Context, cluster *seed.Cluster) error {
	return gpu.Label(ctx, cluster.Client)
}

func gpusReady(ctx context.Context, cluster *seed.Cluster) error {
	return gpu.Ready(ctx, cluster.Client)
}

func policiesEnforced(ctx context.Context, _ *seed.Cluster) error { return policy.Enforced(ctx) }

func accountsReady(ctx context.Context, cluster *seed.Cluster) error {
	_, err := cluster.Client.CoreV1().ServiceAccounts(topology.Namespace).Get(ctx, "default", metav1.GetOptions{})
	return err
}
