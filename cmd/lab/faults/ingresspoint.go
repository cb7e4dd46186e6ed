package faults

// ingressFaults are the defects of the load balancer and the ingress controller.
func ingressFaults() []Fault { return nil }
