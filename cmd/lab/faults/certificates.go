package faults

// certificateFaults are the defects of the server certificate and its files.
func certificateFaults() []Fault { return nil }
