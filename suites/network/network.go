// Package network checks section 2, networking and domain: DNS, the load balancer and its
// ingress controller, network policies and the firewall. It asks as users, as the runner and
// as pods do, and changes nothing but throwaway objects of the run's own.
package network
