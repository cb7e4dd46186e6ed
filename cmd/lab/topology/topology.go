// Package topology holds the names and addresses that everything in the lab agrees on. They
// are fixed: one machine runs one lab.
package topology

import "slices"

// The underlay: the bridge that the nodes hang on and that the control plane listens on.
const (
	Bridge     = "lab0"
	HostIP     = "10.64.0.1"
	HostCIDR   = "10.64.0.1/24"
	Underlay   = "10.64.0.0/24"
	PrefixBits = "/24"
)

// The cluster's own ranges.
const (
	PodCIDR       = "10.65.0.0/16"
	ServiceCIDR   = "10.66.0.0/16"
	APIServiceIP  = "10.66.0.1"
	DNSServiceIP  = "10.66.0.10"
	ClusterDomain = "cluster.local"
	APIServer     = "https://10.64.0.1:6443"
)

// The names in the simulated company's domain.
const (
	Domain       = "aiv.internal"
	RegistryHost = "registry.aiv.internal"
	RegistryPort = "5000"
	Registry     = RegistryHost + ":" + RegistryPort
	// RegistryRepository is the path that the registry's user may push to.
	RegistryRepository = "ml-platform"
	RegistryUser       = "jupyterhub"
	// ConformanceImage holds runner and probe.
	ConformanceImage = Registry + "/" + RegistryRepository + "/conformance:lab"
)

// Entra ID and Microsoft Graph: two names of one server.
const (
	LoginHost = "login." + Domain
	GraphHost = "graph." + Domain
	EntraPort = "8443"
	LoginURL  = "https://" + LoginHost + ":" + EntraPort
	GraphURL  = "https://" + GraphHost + ":" + EntraPort
)

// JupyterHub's name and the address of the load balancer in front of the ingress controller.
const (
	HubHost = "jupyterhub." + Domain
	VIP     = "10.64.0.100"
	// VIPRange is what MetalLB gives addresses from.
	VIPRange = "10.64.0.100-10.64.0.109"
	// IngressNamespace holds the load balancer's Service.
	IngressNamespace = "ingress"
	IngressService   = "ingress"
	// IngressClass and Gateway are there where the lab is a full one.
	IngressClass = "traefik"
	Gateway      = "traefik"
)

// The company's DNS servers, on addresses of the bridge of their own. Both are authoritative
// for Domain.
const (
	DNSServer1 = "10.64.0.53"
	DNSServer2 = "10.64.0.54"
)

// Stand-ins for services that only answer on their ports.
const (
	GitLabHost  = "gitlab." + Domain
	GitLabPort  = "8929"
	GitLabURL   = "https://" + GitLabHost + ":" + GitLabPort
	S3Host      = "s3." + Domain
	S3Port      = "7480"
	S3URL       = "https://" + S3Host + ":" + S3Port
	CephMonHost = "ceph-mon1." + Domain
	CephMonPort = "6789"
	CephMon     = CephMonHost + ":" + CephMonPort
	// OutsideHost is what the company's firewall keeps from pods.
	OutsideHost = "outside." + Domain
	OutsidePort = "8449"
	OutsideURL  = "https://" + OutsideHost + ":" + OutsidePort
)

// The address at which clouds tell a machine, and every pod that reaches it, the machine's
// credentials. The lab has a stand-in for the server, at a port of the host's.
const (
	MetadataIP      = "169.254.169.254"
	MetadataNetwork = "169.254.0.0/16"
	MetadataPort    = "8169"
)

// The customer's namespace and what is in it.
const (
	Namespace      = "jupyterhub-prod"
	Quota          = "jupyterhub"
	LimitRange     = "jupyterhub"
	ServiceAccount = "conformance-runner"
	PullSecret     = "registry-pull"
)

// The storage classes. The provisioners have the customer's names, the driver below is ours
// and says so in SimulatedAnnotation.
const (
	BlockClass          = "ceph-rbd"
	BlockProvisioner    = "rbd.csi.ceph.com"
	SharedClass         = "cephfs"
	SharedProvisioner   = "cephfs.csi.ceph.com"
	SnapshotClass       = "ceph-rbd"
	SimulatedAnnotation = "lab.aiv.internal/simulated"
)

// Node is one worker: a network and a mount namespace with its own containerd and kubelet.
type Node struct {
	Name    string
	IP      string
	PodCIDR string
	Zone    string
	// GPUs are how many simulated ones it has.
	GPUs int
}

// GPUsPerNode is how many simulated GPUs a GPU node has.
const GPUsPerNode = 2

// Nodes are the lab's workers.
func Nodes() []Node {
	return []Node{
		{Name: "lab-node1", IP: "10.64.0.11", PodCIDR: "10.65.1.0/24", Zone: "zone-a"},
		{Name: "lab-node2", IP: "10.64.0.12", PodCIDR: "10.65.2.0/24", Zone: "zone-b", GPUs: GPUsPerNode},
	}
}

// GPUNodes are the workers that have GPUs.
func GPUNodes() []Node {
	return slices.DeleteFunc(Nodes(), func(node Node) bool { return node.GPUs == 0 })
}

// Host is a name in the company's domain and its address.
type Host struct{ Name, Address string }

// Hosts are all names in the company's domain.
func Hosts() []Host {
	hosts := []Host{{HubHost, VIP}}
	for _, name := range []string{RegistryHost, LoginHost, GraphHost, GitLabHost, S3Host, CephMonHost, OutsideHost} {
		hosts = append(hosts, Host{name, HostIP})
	}
	return hosts
}
