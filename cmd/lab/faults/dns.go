package faults

// dnsFaults are the defects of the company's DNS servers and of the cluster's.
func dnsFaults() []Fault { return nil }
