package faults

import (
	"context"

	"aiv.internal/conformance/cmd/lab/dns"
	"aiv.internal/conformance/cmd/lab/firewall"
	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/topology"
)

// firewallFaults are the defects of the company's firewall.
func firewallFaults() []Fault {
	return []Fault{
		firewallFault(Fault{
			Name:        firewall.FaultRegistryDropped,
			Description: "the firewall drops what pods send to the registry; nodes still pull",
			Failed:      []string{"2.3.4.5", "N.2.registry-from-pods"},
			Words:       []string{"timeout", topology.Registry},
		}),
		firewallFault(Fault{
			Name:        firewall.FaultRegistryRefused,
			Description: "the firewall refuses pods the connection to the registry; nodes still pull",
			Failed:      []string{"2.3.4.5", "N.2.registry-from-pods"},
			Words:       []string{"refused", topology.Registry},
		}),
		firewallFault(Fault{
			Name:        firewall.FaultIdentityDropped,
			Description: "the firewall drops what pods send to Entra ID and Graph",
			Failed:      []string{"2.3.4.2"},
			Words:       []string{"timeout", topology.LoginHost, topology.GraphHost, "the runner reaches it"},
		}),
		firewallFault(Fault{
			Name:        firewall.FaultStorageRefused,
			Description: "the firewall refuses pods the connection to the object store",
			Failed:      []string{"2.3.4.3"},
			Words:       []string{"refused", topology.S3Host},
		}),
		firewallFault(Fault{
			Name:        firewall.FaultGitLabDropped,
			Description: "the firewall drops what pods send to GitLab",
			Failed:      []string{"2.3.2", "2.3.4.4"},
			Words:       []string{"timeout", topology.GitLabHost},
		}),
		firewallFault(Fault{
			Name:        firewall.FaultForbiddenOpen,
			Description: "the firewall lets pods reach a web site outside the company that is answered as forbidden",
			Failed:      []string{"2.3.2"},
			Words:       []string{topology.OutsideHost, "was reached"},
		}),
		firewallFault(Fault{
			Name:        firewall.FaultMetadataOpen,
			Description: "the cloud's metadata address answers pods",
			Failed:      []string{"N.1.5"},
			Words:       []string{topology.MetadataIP, "credentials"},
		}),
		zoneFault(Fault{
			Name:        dns.FaultStorageUnknown,
			Description: "split DNS: pods are told that the object store's name does not exist",
			Failed:      []string{"2.3.4.3"},
			Words:       []string{"no such host", topology.S3Host, "the cluster's DNS"},
		}),
		{
			Name:        "company-services-down",
			Description: "GitLab and the object store do not run: connections are refused to pods and runner alike",
			Failed:      []string{"2.3.2", "2.3.4.3", "2.3.4.4"},
			Words:       []string{"refused", "the service is down"},
			Break:       stopProcesses("company"),
			Mend:        startProcesses,
		},
	}
}

// firewallFault lets the firewall of each node heed the fault, and no more once it is mended:
// its marker is removed after that.
func firewallFault(fault Fault) Fault {
	fault.Break = func(ctx context.Context, lab *Lab, _ func([]byte) error) error {
		return firewall.Apply(ctx, lab.Dir.FaultActive)
	}
	fault.Mend = func(ctx context.Context, lab *Lab, _ []byte) error {
		if !network.Present() { // the lab is down, and its firewall with it
			return nil
		}
		return firewall.Apply(ctx, func(other string) bool { return other != fault.Name && lab.Dir.FaultActive(other) })
	}
	return fault
}
