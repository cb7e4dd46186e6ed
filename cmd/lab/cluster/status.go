package cluster

import (
	"context"
	"fmt"
	"time"

	"aiv.internal/conformance/cmd/lab/controlplane"
	"aiv.internal/conformance/cmd/lab/dns"
	"aiv.internal/conformance/cmd/lab/faults"
	"aiv.internal/conformance/cmd/lab/firewall"
	"aiv.internal/conformance/cmd/lab/gpu"
	"aiv.internal/conformance/cmd/lab/ingress"
	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/node"
	"aiv.internal/conformance/cmd/lab/policy"
	"aiv.internal/conformance/cmd/lab/storage"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Part is one part of the lab and how it is.
type Part struct {
	Name string `json:"name"`
	// OK is true where the part is as it should be.
	OK bool `json:"ok"`
	// State says how it is, in a few words.
	State string `json:"state"`
}

// Status is the lab as it is now.
type Status struct {
	// Up is true where every part is as it should be.
	Up     bool     `json:"up"`
	Parts  []Part   `json:"parts"`
	Faults []string `json:"faults"`
}

// Processes are the names of all processes of a lab that is up, in that tier.
func Processes(full bool) []string {
	names := []string{
		node.Holder,
		controlplane.Etcd, controlplane.APIServer, controlplane.ControllerManager, controlplane.Scheduler,
		registryProcess, entraProcess, companyProcess, storage.SnapshotController,
	}
	for _, server := range dns.Servers() {
		names = append(names, server.Name)
	}
	for short := range storage.Drivers {
		names = append(names, storage.Controller(short), storage.Provisioner(short), storage.Resizer(short), storage.Snapshotter(short))
	}
	for _, worker := range topology.Nodes() {
		names = append(names, node.Containerd(worker.Name), node.Kubelet(worker.Name), node.Proxy(worker.Name), policy.Agent(worker.Name))
		for short := range storage.Drivers {
			names = append(names, storage.Node(short, worker.Name))
		}
	}
	for _, worker := range topology.GPUNodes() {
		names = append(names, gpu.Plugin(worker.Name))
	}
	return append(names, ingress.Processes(full)...)
}

// Status looks at every part. A lab that is down is no error.
func (l Lab) Status(ctx context.Context) Status {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status := Status{Up: true, Faults: faults.Active(l.Dir)}
	add := func(name string, ok bool, words string) {
		status.Parts = append(status.Parts, Part{Name: name, OK: ok, State: words})
		status.Up = status.Up && ok
	}
	if network.Present() {
		add("network", true, topology.Underlay+" on "+topology.Bridge)
	} else {
		add("network", false, "not there")
	}
	running := false
	for _, name := range sorted(Processes(l.Dir.Full())) {
		record, alive := l.supervisor().Find(name)
		running = running || alive
		if alive {
			add(name, true, fmt.Sprintf("running (process %d)", record.PID))
		} else {
			add(name, false, "not running")
		}
	}
	if running {
		l.askCluster(ctx, add)
	}
	return status
}

func (l Lab) askCluster(ctx context.Context, add func(name string, ok bool, words string)) {
	if err := controlplane.Ready(ctx, l.Dir); err != nil {
		add("API server", false, err.Error())
		return
	}
	add("API server", true, "ready at "+topology.APIServer)
	cluster, err := l.connect()
	if err != nil {
		add("cluster", false, err.Error())
		return
	}
	for _, worker := range topology.Nodes() {
		report(add, "node "+worker.Name, nodeReady(ctx, cluster, worker.Name))
	}
	report(add, "cluster DNS", dnsReady(ctx, cluster))
	report(add, "storage drivers", driversKnown(ctx, cluster))
	report(add, "simulated GPUs", gpusReady(ctx, cluster))
	report(add, "company DNS", dns.Ready(ctx))
	report(add, "network policies", policy.Enforced(ctx))
	report(add, "registry", registryReady(l.Dir)(ctx))
	report(add, "simulated Entra ID", entraReady(l.Dir)(ctx))
	report(add, "simulated GitLab, S3, Ceph and outside", companyReady(l.Dir)(ctx))
	report(add, "company firewall", firewall.Ready(ctx))
	report(add, "load balancer "+topology.VIP, ingress.Ready(ctx, l.Dir))
}

func report(add func(name string, ok bool, words string), name string, err error) {
	if err != nil {
		add(name, false, err.Error())
		return
	}
	add(name, true, "ready")
}
