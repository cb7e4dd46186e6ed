package answers

// Cluster is section 1.1.
type Cluster struct {
	// Kubernetes version; 1.33 stands for every 1.33.x.
	Version string `yaml:"version" form:"version" example:"1.36"`
	// Number of nodes without GPUs.
	CPUNodes *int `yaml:"cpuNodes" example:"6"`
	// Number of nodes with GPUs; 0 if there are none.
	GPUNodes *int `yaml:"gpuNodes" example:"2"`
	// Namespace that JupyterHub is installed in.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"jupyterhub-prod"`
	// Where the cluster is documented.
	Documentation string `yaml:"documentation" form:"url" example:"https://confluence.aiv.internal/display/K8S"`
	// Whom to call about the cluster.
	Contact Contact `yaml:"contact"`
}

// GPU is section 1.2.
type GPU struct {
	// Product name as the node label nvidia.com/gpu.product and the driver say it.
	Model string `yaml:"model" example:"NVIDIA-A100-SXM4-80GB"`
	// Allocatable GPUs of each GPU node.
	PerNode *int `yaml:"perNode" example:"4"`
	// Resource that a pod asks for; nvidia.com/gpu if left out, another one for MIG or time slicing.
	ResourceName string `yaml:"resourceName" example:"nvidia.com/gpu"`
	// Is the NVIDIA device plugin installed?
	DevicePlugin *bool `yaml:"devicePlugin" example:"true"`
	// Version of the GPU operator; none where the device plugin runs without it.
	OperatorVersion string `yaml:"operatorVersion" example:"v25.3.0"`
	// Labels that select exactly the GPU nodes.
	NodeSelector map[string]string `yaml:"nodeSelector" example:"nvidia.com/gpu.present=true"`
	// Taints of the GPU nodes that a pod must tolerate, as key=value:effect or key:effect.
	Taints []string `yaml:"taints" form:"taint" example:"nvidia.com/gpu:NoSchedule"`
	// Image in which the CUDA smoke job runs; the runner's own if left out.
	SmokeImage string `yaml:"smokeImage" example:"artifactory.aiv.internal/ml-platform/base-notebook:v1"`
	// Whom to call about the GPU nodes.
	Contact Contact `yaml:"contact"`
}

// Resource returns the name of the resource that a pod asks for to get a GPU.
func (g GPU) Resource() string {
	if g.ResourceName == "" {
		return "nvidia.com/gpu"
	}
	return g.ResourceName
}
