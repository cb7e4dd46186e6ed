package answers

// What holds for GPUs where nothing is answered.
const (
	defaultGPUResource = "nvidia.com/gpu"
	defaultTestMemory  = 1 << 30
	defaultMaxNodes    = 32
)

// GPU is section 1.2.
type GPU struct {
	// Product name as the node label nvidia.com/gpu.product and the driver say it.
	Model string `yaml:"model" example:"NVIDIA-A100-SXM4-80GB"`
	// Allocatable GPUs of each GPU node.
	PerNode *int `yaml:"perNode" example:"4"`
	// Resource that a pod asks for; nvidia.com/gpu if left out, another one for MIG or time slicing.
	ResourceName string `yaml:"resourceName" example:"nvidia.com/gpu"`
	// DeviceClass that a pod claims GPUs from, where they are published as ResourceSlices (dynamic resource allocation) and not as a resource of the nodes.
	DeviceClass string `yaml:"deviceClass" form:"dnsname" example:"gpu.nvidia.com"`
	// Is the NVIDIA device plugin installed?
	DevicePlugin *bool `yaml:"devicePlugin" example:"true"`
	// Version of the GPU operator; none where the device plugin runs without it.
	OperatorVersion string `yaml:"operatorVersion" example:"v25.3.0"`
	// Labels that select exactly the GPU nodes.
	NodeSelector map[string]string `yaml:"nodeSelector" example:"nvidia.com/gpu.present=true"`
	// Taints of the GPU nodes that a pod must tolerate, as key=value:effect or key:effect.
	Taints []string `yaml:"taints" form:"taint" example:"nvidia.com/gpu:NoSchedule"`
	// RuntimeClass of pods with a GPU, where NVIDIA's container runtime is not the nodes' default one.
	RuntimeClass string `yaml:"runtimeClass" form:"dnsname" example:"nvidia"`
	// Notebook image in which the CUDA smoke job runs once more, with the probe copied into it. It needs glibc, as the driver does.
	NotebookImage string `yaml:"notebookImage" example:"artifactory.aiv.internal/ml-platform/base-notebook:v1"`
	// Device memory that the CUDA smoke job writes and reads back; 1Gi if left out.
	TestMemory *Quantity `yaml:"testMemory" example:"1Gi"`
	// Most GPU nodes on which a run starts the CUDA smoke job; 32 if left out. Where there are more, it is started on a sample of them.
	MaxNodes *int `yaml:"maxNodes" example:"32"`
	// Whom to call about the GPU nodes.
	Contact Contact `yaml:"contact"`
}

func (g GPU) validate() []problem {
	if g.MaxNodes != nil && *g.MaxNodes == 0 {
		return []problem{{"maxNodes", "0 would prove nothing; leave it out for 32, or answer at least 1"}}
	}
	return nil
}

// Resource returns the name of the resource that a pod asks for to get a GPU.
func (g GPU) Resource() string {
	if g.ResourceName == "" {
		return defaultGPUResource
	}
	return g.ResourceName
}

// TestBytes returns how much device memory the CUDA smoke job tests, in bytes.
func (g GPU) TestBytes() int64 {
	if g.TestMemory == nil {
		return defaultTestMemory
	}
	return g.TestMemory.Value()
}

// NodeLimit returns on how many GPU nodes a run starts the CUDA smoke job at most.
func (g GPU) NodeLimit() int {
	if g.MaxNodes == nil {
		return defaultMaxNodes
	}
	return *g.MaxNodes
}
