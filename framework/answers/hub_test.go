package answers

import "testing"

func TestHubLabels(t *testing.T) {
	plain := NetworkPolicies{}.Hub()
	if plain["component"] != "hub" || plain["app"] != "jupyterhub" || plain["release"] != "jupyterhub" {
		t.Errorf("%v", plain)
	}
	answered := NetworkPolicies{HubLabels: map[string]string{"release": "hub-prod", "team": "ml"}}.Hub()
	if answered["release"] != "hub-prod" || answered["app.kubernetes.io/instance"] != "hub-prod" || answered["team"] != "ml" || answered["component"] != "hub" {
		t.Errorf("%v", answered)
	}
	if plain := (NetworkPolicies{}).Hub(); plain["release"] != "jupyterhub" {
		t.Errorf("an answer stays: %v", plain)
	}
}
