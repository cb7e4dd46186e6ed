package faults

import "slices"

// brokenNode is the node that faults of nodes pick.
const brokenNode = "lab-node2"

// clusterFaults are the defects of the cluster and of the access to it.
func clusterFaults() []Fault {
	return slices.Concat(accessFaults(), nodeFaults(), namespaceFaults(), rightsFaults())
}

func accessFaults() []Fault {
	return []Fault{
		{
			Name:        "kubeconfig-unreadable",
			Description: "the runner's kubeconfig is damaged",
			Failed:      []string{"1.1.1"},
			May:         without(apiItems, "1.1.1"),
			Words:       []string{"kubeconfig"},
			Answers:     true,
			Break:       damageKubeconfig,
			Mend:        restoreKubeconfig,
		},
		{
			Name:        "client-certificate-expired",
			Description: "the runner's kubeconfig holds a client certificate that ended an hour ago",
			Failed:      []string{"1.1.1"},
			May:         without(apiItems, "1.1.1"),
			Words:       []string{"expired"},
			Answers:     true,
			Break:       expireCertificate,
			Mend:        restoreKubeconfig,
		},
		answerFault(Fault{
			Name:        "version-wrong",
			Description: "another Kubernetes version is answered than the cluster has",
			Failed:      []string{"1.1.2"},
			Words:       []string{"1.33", "1.36"},
		}, `  version: "1.36"`, `  version: "1.33"`),
		answerFault(Fault{
			Name:        "servicemonitors-unknown",
			Description: "the Prometheus Operator is answered, but the API server does not know ServiceMonitors",
			Failed:      []string{"1.1.5.4"},
			Words:       []string{"ServiceMonitor", "does not serve"},
		}, `  operator: no`, `  operator: yes`),
	}
}

func nodeFaults() []Fault {
	return []Fault{
		{
			Name:        "node-notready",
			Description: "the container network of " + brokenNode + " is gone, so the node is NotReady",
			Failed:      []string{"1.1.3"},
			May:         gpuItems,
			Words:       []string{"NotReady", brokenNode},
			Break:       breakNodeNetwork,
			Mend:        mendNodeNetwork,
		},
		{
			Name:        "node-cordoned",
			Description: brokenNode + " takes no new pods",
			Failed:      []string{"1.1.3"},
			May:         gpuItems,
			Words:       []string{"cordoned", brokenNode},
			Break:       cordon,
			Mend:        uncordon,
		},
	}
}

func namespaceFaults() []Fault {
	return []Fault{
		{
			Name:        "namespace-terminating",
			Description: "the namespace is being deleted and does not come to its end",
			// Nothing can be created there, which is what the permissions are about.
			Failed: slices.Concat([]string{"1.1.4"}, permissionItems),
			May:    podItems,
			Words:  []string{"terminat"},
			Break:  terminateNamespace,
			Mend:   recreateNamespace,
		},
		{
			Name:        "quota-exhausted",
			Description: "the namespace's quota leaves no room for a pod or a claim",
			Failed:      []string{"1.1.5.1", "1.1.5.2", "6.2.1", "6.2.2"},
			May:         without(podItems, "6.2.1", "6.2.2"),
			Words:       []string{"quota"},
			Break:       exhaustQuota,
			Mend:        restoreQuota,
		},
		{
			Name:        "admission-refuses",
			Description: "an admission policy refuses every ingress that is not of the class corporate, but for the suite's throwaway ones",
			Failed:      []string{"1.1.5.3"},
			Words:       []string{"ingress class corporate"},
			Break:       corporateIngresses.refuse,
			Mend:        corporateIngresses.admit,
		},
	}
}

func rightsFaults() []Fault {
	return []Fault{
		{
			Name:        "verb-missing",
			Description: "the right to update ingresses is missing from the roles of the runner's service account",
			Failed:      []string{"1.1.5.3"},
			Words:       []string{"update", "ingresses"},
			Break:       dropVerb("update", "networking.k8s.io", "ingresses"),
			Mend:        restoreRights,
		},
		{
			Name:        "runner-verb-missing",
			Description: "the right to list nodes is missing from the roles of the runner's service account",
			Undecided:   []string{"1.1.2", "1.1.3"},
			May:         gpuItems,
			Words:       []string{"list", "nodes"},
			Break:       dropVerb("list", "", "nodes"),
			Mend:        restoreRights,
		},
	}
}
