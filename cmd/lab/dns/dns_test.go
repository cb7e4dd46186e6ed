package dns

import (
	"slices"
	"testing"

	"aiv.internal/conformance/cmd/lab/topology"
)

// hub is where a zone has JupyterHub, "" for nowhere.
func hub(z zone) string {
	for _, host := range z.Hosts {
		if host.Name == topology.HubHost {
			return host.Address
		}
	}
	return ""
}

func TestZones(t *testing.T) {
	first, second := Servers()[0], Servers()[1]
	type told struct {
		hub    string
		serial int
	}
	right := told{topology.VIP, serial}
	for _, test := range []struct {
		faults []string
		// what each server tells the company, and what it tells pods
		first, second, firstPods, secondPods told
	}{
		{nil, right, right, right, right},
		{[]string{FaultStale}, right, told{OldAddress, serial - 1}, right, told{OldAddress, serial - 1}},
		{
			[]string{FaultOther}, told{OtherAddress, serial + 1}, told{OtherAddress, serial + 1},
			told{OtherAddress, serial + 1}, told{OtherAddress, serial + 1},
		},
		{[]string{FaultMissing}, told{"", serial + 1}, told{"", serial + 1}, told{"", serial + 1}, told{"", serial + 1}},
		{[]string{FaultClusterOther}, right, right, told{OtherAddress, serial}, told{OtherAddress, serial}},
		{[]string{FaultClusterUnknown}, right, right, told{"", serial}, told{"", serial}},
	} {
		for _, one := range []struct {
			server Server
			view   string
			want   told
		}{
			{first, forCompany, test.first}, {second, forCompany, test.second},
			{first, forCluster, test.firstPods}, {second, forCluster, test.secondPods},
		} {
			z := one.server.zone(one.view, test.faults)
			if got := (told{hub(z), z.Serial}); got != one.want {
				t.Errorf("%v: %s tells %s %v, want %v", test.faults, one.server.Name, one.view, got, one.want)
			}
			if len(z.Hosts) < len(topology.Hosts())-1 {
				t.Errorf("%v: only %v is left", test.faults, z.Hosts)
			}
		}
	}
	if len(topology.Hosts()) == 0 || !slices.ContainsFunc(topology.Hosts(), func(h topology.Host) bool { return h.Address == topology.VIP }) {
		t.Error("a fault changed the names of the lab")
	}
}
