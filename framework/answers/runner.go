package answers

import corev1 "k8s.io/api/core/v1"

// Runner is how the runner itself works in this environment.
type Runner struct {
	// Image that holds the runner and its probe, as the cluster's nodes pull it.
	Image string `yaml:"image" example:"artifactory.aiv.internal/ml-platform/conformance:v1"`
	// Pull secrets in the namespace that throwaway pods use for that image.
	PullSecrets []string `yaml:"pullSecrets" example:"registry-pull"`
	// Labels of the nodes on which throwaway pods may run; any node if left out.
	NodeSelector map[string]string `yaml:"nodeSelector" example:"hub.jupyter.org/node-purpose=user"`
	// Tolerations of throwaway pods.
	Tolerations []corev1.Toleration `yaml:"tolerations" example:"{key: hub.jupyter.org/dedicated, operator: Exists}"`
	// PriorityClass of throwaway pods; with one of preemptionPolicy Never they displace nobody, not even pods of negative priority.
	PriorityClass string `yaml:"priorityClass" example:"conformance-no-preemption"`
	// The company's proxies, for the runner and for its pods.
	Proxies Proxies `yaml:"proxies"`
	// Domain of the company's own names, in which the name of JupyterHub lies.
	CompanyDomain string `yaml:"companyDomain" form:"dnsname" example:"aiv.internal"`
	// May volumes of a StorageClass with the reclaim policy Retain stay after a run, for an administrator to delete? No if left out.
	RetainedVolumes *bool `yaml:"retainedVolumes" example:"false"`
	// Days that certificates, secrets and tokens must still be valid; 30 if left out.
	MinDaysLeft *int `yaml:"minDaysLeft" example:"30"`
}

// DaysLeft returns the days that something must still be valid.
func (r Runner) DaysLeft() int {
	if r.MinDaysLeft == nil {
		return 30
	}
	return *r.MinDaysLeft
}
