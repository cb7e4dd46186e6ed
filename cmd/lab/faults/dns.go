package faults

import (
	"context"

	"aiv.internal/conformance/cmd/lab/dns"
	"aiv.internal/conformance/cmd/lab/topology"
)

// dnsFaults are the defects of the company's DNS servers and of the cluster's.
func dnsFaults() []Fault {
	return []Fault{
		answerFault(Fault{
			Name:        "dns-domain-outside",
			Description: "the name lies outside of the domain that the answers say is the company's",
			Failed:      []string{"2.1.1"},
			Words:       []string{"outside", "aiv.example"},
		}, "  companyDomain: "+topology.Domain, "  companyDomain: aiv.example"),
		zoneFault(Fault{
			Name:        dns.FaultMissing,
			Description: "neither DNS server has a record of JupyterHub's name",
			Failed:      []string{"2.1.1", "2.1.2", "2.1.3"},
			Words:       []string{"NXDOMAIN"},
		}),
		zoneFault(Fault{
			Name:        dns.FaultOther,
			Description: "both DNS servers have JupyterHub's name with another address than the load balancer's",
			Failed:      []string{"2.1.2", "2.1.3"},
			Words:       []string{dns.OtherAddress, topology.VIP},
		}),
		zoneFault(Fault{
			Name:        dns.FaultStale,
			Description: "the second DNS server still has the zone from before the last change: an old serial, and JupyterHub's old address",
			Failed:      []string{"2.1.2", "2.1.3"},
			Words:       []string{topology.DNSServer2, dns.OldAddress},
		}),
		{
			Name:        "dns-server-down",
			Description: "the second DNS server does not run: connections are refused",
			Failed:      []string{"2.1.3"},
			Words:       []string{topology.DNSServer2, "refused"},
			Break:       stopProcesses("dns2"),
			Mend:        startProcesses,
		},
		zoneFault(Fault{
			Name:        dns.FaultClusterOther,
			Description: "split DNS: pods are told another address of JupyterHub than everybody else",
			Failed:      []string{"2.1.3"},
			Words:       []string{dns.OtherAddress, "pod", "split DNS"},
		}),
		zoneFault(Fault{
			Name:        dns.FaultClusterUnknown,
			Description: "split DNS: pods are told that JupyterHub's name does not exist",
			Failed:      []string{"2.1.3"},
			Words:       []string{"NXDOMAIN", "pod"},
		}),
	}
}

// zoneFault completes a fault that the DNS servers' answers hold.
func zoneFault(fault Fault) Fault {
	fault.Break = func(ctx context.Context, lab *Lab, _ func([]byte) error) error {
		return dns.Change(ctx, lab.Supervisor)
	}
	fault.Mend = func(ctx context.Context, lab *Lab, _ []byte) error {
		return dns.Change(ctx, lab.Supervisor, fault.Name)
	}
	return fault
}
