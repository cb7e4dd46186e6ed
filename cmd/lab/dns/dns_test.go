package dns

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
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

// TestNamed has named itself read the files and answer.
func TestNamed(t *testing.T) {
	program, err := exec.LookPath("named")
	if err != nil {
		t.Skip("named is not installed here; `lab up` waits for its answers as well")
	}
	port := freePort(t)
	server, folder := Server{"test", "127.0.0.1"}, t.TempDir()
	if err := server.write(folder, port, nil); err != nil {
		t.Fatal(err)
	}
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	supervisor := process.Supervisor{Dir: dir}
	t.Cleanup(func() {
		if err := supervisor.Stop("named", 2*time.Second); err != nil {
			t.Error(err)
		}
	})
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(server.Address, port))
	}}
	err = supervisor.Start(t.Context(), process.Spec{
		Name: "named", Command: []string{program, "-g", "-4", "-n", "1", "-c", filepath.Join(folder, "named.conf")},
		Ready: func(ctx context.Context) error {
			texts, err := resolver.LookupTXT(ctx, markName+"."+topology.Domain+".")
			if err == nil && !slices.Equal(texts, []string{mark(nil)}) {
				err = fmt.Errorf("the mark is %q", texts)
			}
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	servers, err := resolver.LookupNS(t.Context(), topology.Domain+".")
	if err != nil || len(servers) != 2 {
		t.Errorf("the domain has the servers %v, error %v", servers, err)
	}
	_, err = resolver.LookupTXT(t.Context(), "example.com.")
	if err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("to ask for another domain: %v", err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
