package faults

func clusterFaults() []Fault { return nil }
