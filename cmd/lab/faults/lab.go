package faults

import (
	"aiv.internal/conformance/cmd/lab/controlplane"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/seed"
	"aiv.internal/conformance/cmd/lab/state"
)

// Lab is what a fault may change.
type Lab struct {
	Dir        state.Dir
	Supervisor process.Supervisor
}

// New returns the lab of that state folder.
func New(dir state.Dir) *Lab {
	return &Lab{Dir: dir, Supervisor: process.Supervisor{Dir: dir}}
}

// Cluster returns the cluster as its administrator sees it, whatever is wrong with the
// runner's kubeconfig.
func (l *Lab) Cluster() (*seed.Cluster, error) {
	config, err := controlplane.AdminConfig(l.Dir)
	if err != nil {
		return nil, err
	}
	return seed.Connect(config)
}
