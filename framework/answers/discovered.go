package answers

import (
	"fmt"
	"slices"
	"strings"
)

// Discovered is what a cluster tells about itself. What could not be found out is left at its
// zero value.
type Discovered struct {
	// Version is the API server's, as major.minor.
	Version string
	// CPUNodes and GPUNodes count the nodes for pods of users.
	CPUNodes, GPUNodes *int
	// Zones is the number of zones that nodes name.
	Zones     int
	Namespace string

	GPU            DiscoveredGPU
	StorageClasses []DiscoveredStorageClass
	// SnapshotClasses are the names of the VolumeSnapshotClasses, the default one first.
	SnapshotClasses []string
	IngressClasses  []DiscoveredIngressClass
	// IngressAddresses are those that Ingresses of the namespace were given.
	IngressAddresses []string
	// NamespaceTotal and MaxClaim are amounts of storage: the namespace's quota, and what its
	// limit range allows each claim.
	NamespaceTotal, MaxClaim string
	// PullSecrets are those of the namespace's default service account.
	PullSecrets []string
	// PodSecurity is the level that the namespace enforces.
	PodSecurity string
	Prometheus  DiscoveredPrometheus
	// Velero tells whether Velero's API is served.
	Velero bool
}

// DiscoveredGPU is what the nodes with GPUs have in common.
type DiscoveredGPU struct {
	ResourceName, Model string
	PerNode             *int
	NodeSelector        map[string]string
	Taints              []string
	// OperatorVersion is the GPU operator's.
	OperatorVersion string
	// RuntimeClass is there under the name that NVIDIA's GPU operator gives it, or empty.
	RuntimeClass string
	// DeviceClasses are the names of those that seem to stand for GPUs.
	DeviceClasses []string
}

// DiscoveredStorageClass is a StorageClass.
type DiscoveredStorageClass struct {
	Name, Provisioner   string
	Default, Expandable bool
}

// DiscoveredIngressClass is an IngressClass.
type DiscoveredIngressClass struct {
	Name, Controller string
	Default          bool
}

// DiscoveredPrometheus is a Prometheus that the Prometheus Operator runs.
type DiscoveredPrometheus struct {
	// Operator tells whether the operator's API is served; nil if that is not known.
	Operator *bool
	// Namespace and ReleaseName are empty if no Prometheus was found.
	Namespace, ReleaseName string
}

// file turns what was found into answers, and into notes for the keys where there was a choice.
func (d Discovered) file() (*File, map[string]string) {
	f := &File{APIVersion: APIVersion, Kind: Kind}
	notes := map[string]string{}
	f.Cluster.Version, f.Cluster.CPUNodes, f.Cluster.GPUNodes, f.Cluster.Namespace = d.Version, d.CPUNodes, d.GPUNodes, d.Namespace
	f.GPU.ResourceName, f.GPU.Model, f.GPU.PerNode = d.GPU.ResourceName, d.GPU.Model, d.GPU.PerNode
	f.GPU.NodeSelector, f.GPU.Taints, f.GPU.OperatorVersion = d.GPU.NodeSelector, d.GPU.Taints, d.GPU.OperatorVersion
	if strings.HasPrefix(d.GPU.ResourceName, "nvidia.com/") { // the question is about NVIDIA's
		f.GPU.DevicePlugin = new(true)
	}
	d.devices(f, notes)
	f.Security.PodSecurity = PodSecurity(d.PodSecurity)
	if d.Zones > 1 {
		f.Availability.Zones = new(d.Zones)
	}
	if len(d.PullSecrets) > 0 {
		f.Runner.PullSecrets = d.PullSecrets
		f.Registry.PullSecret = d.PullSecrets[0]
		notes["registry.pullSecret"] = "The default service account uses: " + strings.Join(d.PullSecrets, ", ") + "."
	}
	d.ingress(f, notes)
	d.storage(f, notes)
	if operator := d.Prometheus.Operator; operator != nil {
		f.Prometheus.Operator, f.Prometheus.ServiceMonitors = operator, operator
	}
	if d.Prometheus.Namespace != "" {
		f.Prometheus.Installed = new(true)
		f.Prometheus.Namespace, f.Prometheus.ReleaseName = d.Prometheus.Namespace, d.Prometheus.ReleaseName
	}
	return f, notes
}

// devices tells of other ways to GPUs. Which one users take only the customer knows: a check by
// another way could pass where their notebooks fail.
func (d Discovered) devices(f *File, notes map[string]string) {
	if d.GPU.RuntimeClass != "" {
		notes["gpu.runtimeClass"] = "In the cluster: " + d.GPU.RuntimeClass + "."
	}
	if len(d.GPU.DeviceClasses) == 0 {
		return
	}
	notes["gpu.deviceClass"] = "In the cluster: " + strings.Join(d.GPU.DeviceClasses, ", ") + "."
	if d.GPU.ResourceName == "" && len(d.GPU.DeviceClasses) == 1 {
		f.GPU.DeviceClass = d.GPU.DeviceClasses[0]
	}
}

// controllers are the names under which ingress controllers register.
var controllers = map[string]IngressController{
	"k8s.io/ingress-nginx":           NGINX,
	"nginx.org/ingress-controller":   NGINX,
	"traefik.io/ingress-controller":  Traefik,
	"containo.us/ingress-controller": Traefik,
}

func (d Discovered) ingress(f *File, notes map[string]string) {
	if len(d.IngressAddresses) == 1 {
		f.Ingress.VIP = d.IngressAddresses[0]
	} else if len(d.IngressAddresses) > 1 {
		notes["ingress.vip"] = "In the cluster: " + strings.Join(d.IngressAddresses, ", ") + "."
	}
	if len(d.IngressClasses) == 0 {
		return
	}
	chosen := d.IngressClasses[0]
	var all []string
	for _, class := range d.IngressClasses {
		all = append(all, fmt.Sprintf("%s (%s)", class.Name, class.Controller))
		if class.Default {
			chosen = class
		}
	}
	notes["ingress.className"] = "In the cluster: " + strings.Join(all, ", ") + "."
	f.Ingress.ClassName = chosen.Name
	if known, is := controllers[chosen.Controller]; is {
		f.Ingress.Controller = known
	} else {
		f.Ingress.Controller, f.Ingress.ControllerName = OtherIngress, chosen.Controller
	}
}

func (d Discovered) storage(f *File, notes map[string]string) {
	f.StorageQuotas.NamespaceTotal, f.StorageQuotas.MaxClaim = amount(d.NamespaceTotal), amount(d.MaxClaim)
	switch {
	case len(d.SnapshotClasses) > 0:
		f.Backup.System, f.Backup.SnapshotClass = SnapshotBackup, d.SnapshotClasses[0]
	case d.Velero:
		f.Backup.System = VeleroBackup
	}
	if len(d.StorageClasses) == 0 {
		return
	}
	chosen := d.StorageClasses[0]
	var all []string
	for _, class := range d.StorageClasses {
		text := fmt.Sprintf("%s (%s)", class.Name, class.Provisioner)
		if class.Default {
			chosen = class
			text = fmt.Sprintf("%s (%s, default)", class.Name, class.Provisioner)
		}
		all = append(all, text)
	}
	notes["storageClass.name"] = "In the cluster: " + strings.Join(all, ", ") + "."
	s := &f.StorageClass
	s.Name, s.Provisioner, s.Backend = chosen.Name, chosen.Provisioner, backendOf(chosen.Provisioner)
	s.Default = new(chosen.Default)
	s.AccessModes = []AccessMode{ReadWriteOnce}
	shared := slices.IndexFunc(d.StorageClasses, func(c DiscoveredStorageClass) bool { return sharable(backendOf(c.Provisioner)) })
	switch {
	case sharable(s.Backend):
		s.AccessModes = append(s.AccessModes, ReadWriteMany)
	case shared >= 0:
		s.AccessModes = append(s.AccessModes, ReadWriteMany)
		s.SharedName = d.StorageClasses[shared].Name
	}
}

// amount returns nil for what is no amount.
func amount(text string) *Quantity {
	var q Quantity
	if q.parse(text) != nil {
		return nil
	}
	return &q
}

// backendOf guesses the storage from the provisioner's name.
func backendOf(provisioner string) StorageBackend {
	switch {
	case strings.HasSuffix(provisioner, "rbd.csi.ceph.com"):
		return CephRBD
	case strings.HasSuffix(provisioner, "cephfs.csi.ceph.com"):
		return CephFS
	case strings.Contains(provisioner, "bucket"):
		return CephS3
	case strings.Contains(provisioner, "nfs"):
		return NFS
	}
	return OtherStorage
}

func sharable(backend StorageBackend) bool { return backend == CephFS || backend == NFS }
