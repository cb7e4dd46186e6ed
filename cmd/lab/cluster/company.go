package cluster

import (
	"context"
	"errors"
	"net"
	"net/http"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// companyProcess is the name of the process that stands for GitLab, the object store and others.
const companyProcess = "company"

// startCompany starts the stand-ins, which need nothing of the cluster.
func (l Lab) startCompany(ctx context.Context) error {
	return l.Say.Step("stand-ins for GitLab, S3, Ceph and the outside (simulated)", func() error {
		return l.supervisor().Start(ctx, process.Spec{
			Name:    companyProcess,
			Command: []string{l.Dir.Bin("lab"), "serve", "company"},
			Ready:   companyReady(l.Dir),
		})
	})
}

// companyReady asks each of them.
func companyReady(dir state.Dir) func(context.Context) error {
	return func(ctx context.Context) error {
		monitor, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(topology.HostIP, topology.CephMonPort))
		if err == nil {
			err = monitor.Close()
		}
		return errors.Join(err,
			serves(dir, "the simulated GitLab", topology.GitLabHost, topology.GitLabPort, "/", http.StatusOK)(ctx),
			serves(dir, "the simulated object store", topology.S3Host, topology.S3Port, "/", http.StatusOK)(ctx),
			serves(dir, "the simulated outside", topology.OutsideHost, topology.OutsidePort, "/", http.StatusOK)(ctx))
	}
}
