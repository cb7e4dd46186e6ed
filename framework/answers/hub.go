package answers

import "maps"

// chartLabels are those of the hub's pod in the chart zero-to-jupyterhub, as its policies and
// Services select it: the older set and the one of app.kubernetes.io.
var chartLabels = map[string]string{
	"app": "jupyterhub", "component": "hub", "release": "jupyterhub",
	"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/component": "hub", "app.kubernetes.io/instance": "jupyterhub",
}

// Hub returns the labels of the hub's pod: the chart's, with the answered ones over them. An
// answered release or instance is the other one too, unless that is answered as well.
func (n NetworkPolicies) Hub() map[string]string {
	labels := maps.Clone(chartLabels)
	for old, recent := range map[string]string{"release": "app.kubernetes.io/instance", "app": "app.kubernetes.io/name", "component": "app.kubernetes.io/component"} {
		if value, answered := n.HubLabels[old]; answered {
			labels[recent] = value
		}
		if value, answered := n.HubLabels[recent]; answered {
			labels[old] = value
		}
	}
	maps.Copy(labels, n.HubLabels)
	return labels
}
