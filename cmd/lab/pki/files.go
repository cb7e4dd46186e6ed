package pki

import (
	"fmt"
	"maps"
	"os"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Names of the files below .lab/pki, without .crt and .key.
const (
	CompanyCA         = "ca"
	ClusterCA         = "cluster-ca"
	ServiceAccountKey = "service-account"
	APIServer         = "kube-apiserver"
	KubeletClient     = "kube-apiserver-kubelet-client"
	Admin             = "admin"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Proxy             = "kube-proxy"
	Registry          = "registry"
	Entra             = "entra"
	Company           = "company"
)

// Kubelet is the name of a node's certificate, which serves and identifies the node.
func Kubelet(node string) string { return "kubelet-" + node }

// Create makes both authorities and everything they sign, afresh.
func Create(dir state.Dir) error {
	company, err := NewAuthority("AIV Lab CA (simulated)")
	if err != nil {
		return err
	}
	cluster, err := NewAuthority("lab cluster CA")
	if err != nil {
		return err
	}
	signing, err := SigningKey()
	if err != nil {
		return err
	}
	for name, pair := range map[string]Pair{CompanyCA: company.Pair, ClusterCA: cluster.Pair, ServiceAccountKey: signing} {
		if err := pair.Write(dir.PKI(name)); err != nil {
			return err
		}
	}
	if err := issueAll(dir, cluster, clusterRequests()); err != nil {
		return err
	}
	if err := issueAll(dir, company, companyRequests()); err != nil {
		return err
	}
	return issueHub(dir, company)
}

// Complete issues what the company's authority has not signed yet, for a lab that was brought
// up before there was such a service.
func Complete(dir state.Dir) error {
	missing := companyRequests()
	maps.DeleteFunc(missing, func(name string, _ Request) bool {
		_, err := os.Stat(dir.PKI(name + ".crt"))
		return err == nil
	})
	_, hub := os.Stat(dir.PKI(HubServer + ".crt"))
	if len(missing) == 0 && hub == nil {
		return nil
	}
	company, err := Read(dir.PKI(CompanyCA))
	if err != nil {
		return err
	}
	if hub != nil {
		if err := issueHub(dir, company); err != nil {
			return err
		}
	}
	return issueAll(dir, company, missing)
}

func issueAll(dir state.Dir, authority *Authority, requests map[string]Request) error {
	for name, request := range requests {
		pair, err := authority.Issue(request)
		if err != nil {
			return err
		}
		if err := pair.Write(dir.PKI(name)); err != nil {
			return fmt.Errorf("write the certificate %s: %w", name, err)
		}
	}
	return nil
}

// companyRequests are the services that answer on the lab's bridge.
func companyRequests() map[string]Request {
	return map[string]Request{
		Registry: {CommonName: topology.RegistryHost, Hosts: []string{topology.RegistryHost, topology.HostIP, "127.0.0.1"}},
		Company:  {CommonName: "stand-ins of the lab (simulated)", Hosts: []string{topology.GitLabHost, topology.S3Host, topology.OutsideHost, topology.HostIP}},
		Entra:    {CommonName: topology.LoginHost, Hosts: []string{topology.LoginHost, topology.GraphHost, topology.HostIP, "localhost", "127.0.0.1"}},
	}
}

// clusterRequests are the identities of the cluster's own parts, as the Kubernetes
// documentation "PKI certificates and requirements" names them.
func clusterRequests() map[string]Request {
	requests := map[string]Request{
		APIServer: {CommonName: "kube-apiserver", Hosts: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc." + topology.ClusterDomain, "localhost",
			topology.APIServiceIP, topology.HostIP, "127.0.0.1",
		}},
		KubeletClient:     {CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
		Admin:             {CommonName: "lab-admin", Organization: []string{"system:masters"}},
		ControllerManager: {CommonName: "system:kube-controller-manager"},
		Scheduler:         {CommonName: "system:kube-scheduler"},
		Proxy:             {CommonName: "system:kube-proxy"},
	}
	for _, node := range topology.Nodes() {
		requests[Kubelet(node.Name)] = Request{
			CommonName: "system:node:" + node.Name, Organization: []string{"system:nodes"},
			Hosts: []string{node.Name, node.IP},
		}
	}
	return requests
}
