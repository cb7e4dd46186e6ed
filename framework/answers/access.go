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
