package faults

import "slices"

// Items that need the same thing, for faults that reach more than the item they are aimed at.
var (
	// permissionItems dry-run what JupyterHub's chart creates.
	permissionItems = []string{"1.1.5.1", "1.1.5.2", "1.1.5.3"}
	// volumeItems make claims and the pods that write to them.
	volumeItems = []string{"6.1.1", "6.1.4.1", "6.1.4.2", "6.2.1", "6.2.2", "6.2.3"}
	// outwardItems ask, from pods, for what is outside the cluster.
	outwardItems = []string{"2.3.2", "2.3.4.2", "2.3.4.3", "2.3.4.4", "2.3.4.5", "N.1.5"}
	// entranceItems ask, through the ingress controller, for a pod behind it.
	entranceItems = []string{"2.2.3", "2.2.4", "N.1.1", "N.1.2"}
	// podItems run throwaway pods.
	podItems = slices.Concat(gpuPodItems, volumeItems, outwardItems, policyItems, entranceItems, []string{"2.1.3", "3.1.1", "5.1.6", "N.2.registry-from-pods", "N.2.own-program"})
	// gpuPodItems run pods on GPU nodes, and gpuItems ask about these nodes.
	gpuPodItems = []string{"1.2.1", "1.2.3", "1.2.5"}
	gpuItems    = slices.Concat(gpuPodItems, []string{"1.2.2", "1.2.4"})
	// vipItems send requests to the load balancer, or look at the certificate that it shows.
	vipItems = []string{"2.2.1", "2.2.3", "2.2.4", "2.3.4.1", "3.1.1", "3.1.3.2", "3.1.5", "N.1.1", "N.1.2"}
	// apiItems ask the API server for something.
	apiItems = slices.Concat([]string{"1.1.1", "1.1.2", "1.1.3", "1.1.4", "1.2.2", "1.2.4", "2.2.1", "2.2.2", "6.1.2", "6.1.3", "6.1.5", "N.2.cluster-ca"}, permissionItems, podItems)
)

func without(items []string, aimedAt ...string) []string {
	return slices.DeleteFunc(slices.Clone(items), func(item string) bool { return slices.Contains(aimedAt, item) })
}
