package dns

import (
	"bytes"
	"embed"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

//go:embed templates/*
var files embed.FS

var templates = template.Must(template.New("").ParseFS(files, "templates/*"))

// Faults that the servers' answers hold.
const (
	FaultMissing        = "dns-record-missing"
	FaultStale          = "dns-server-stale"
	FaultOther          = "dns-other-address"
	FaultClusterOther   = "dns-cluster-differs"
	FaultClusterUnknown = "dns-cluster-unknown"
	FaultStorageUnknown = "egress-name-unknown"
)

// Faults are the names of all of them.
func Faults() []string {
	return []string{FaultMissing, FaultStale, FaultOther, FaultClusterOther, FaultClusterUnknown, FaultStorageUnknown}
}

const (
	// OldAddress is where JupyterHub is said to have been, OtherAddress where it never was.
	OldAddress   = "10.64.0.98"
	OtherAddress = "10.64.0.99"
	// serial of the zone as it should be.
	serial = 2026010102
)

// markName has a text that says which faults the zone holds: it tells when a change has come
// through.
const markName = "lab"

func mark(faults []string) string {
	return "simulated; planted faults: [" + strings.Join(faults, " ") + "]"
}

// zone is the company's domain as one server tells it in one view.
type zone struct {
	Serial  int
	Servers []Server
	Hosts   []topology.Host
	Mark    string
}

// The views: who is told what.
const (
	forCluster = "cluster"
	forCompany = "company"
)

func (s Server) zone(view string, faults []string) zone {
	z := zone{Serial: serial, Servers: Servers(), Hosts: topology.Hosts(), Mark: mark(faults)}
	planted := func(fault string) bool { return slices.Contains(faults, fault) }
	switch {
	case planted(FaultStale) && s.Address == topology.DNSServer2:
		z.Serial--
		z.move(OldAddress)
	case planted(FaultMissing):
		z.Serial++
	case planted(FaultOther):
		z.Serial++
		z.move(OtherAddress)
	}
	if view == forCluster && planted(FaultClusterOther) {
		z.move(OtherAddress)
	}
	if planted(FaultMissing) || view == forCluster && planted(FaultClusterUnknown) {
		z.forget(topology.HubHost)
	}
	if view == forCluster && planted(FaultStorageUnknown) {
		z.forget(topology.S3Host)
	}
	return z
}

// forget removes a name.
func (z *zone) forget(name string) {
	z.Hosts = slices.DeleteFunc(z.Hosts, func(h topology.Host) bool { return h.Name == name })
}

// move gives JupyterHub another address.
func (z *zone) move(address string) {
	for i := range z.Hosts {
		if z.Hosts[i].Name == topology.HubHost {
			z.Hosts[i].Address = address
		}
	}
}

// configuration is what named.conf is made of.
type configuration struct {
	Address, Port, Folder, Domain, PodCIDR string
}

func (s Server) folder(dir state.Dir) string { return dir.Path("dns", s.Name) }
func (s Server) configuration(dir state.Dir) string {
	return filepath.Join(s.folder(dir), "named.conf")
}

// write writes every server's files, with these faults planted.
func write(dir state.Dir, faults []string) error {
	var failed []error
	for _, server := range Servers() {
		failed = append(failed, server.write(server.folder(dir), "53", faults))
	}
	return errors.Join(failed...)
}

func (s Server) write(folder, port string, faults []string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return errors.Join(
		render(folder, "named.conf", "named.conf", configuration{s.Address, port, folder, topology.Domain, topology.PodCIDR}),
		render(folder, "zone", forCluster+".zone", s.zone(forCluster, faults)),
		render(folder, "zone", forCompany+".zone", s.zone(forCompany, faults)),
	)
}

// render fills a template into a file of the folder, in one step: the server may read it now.
func render(folder, name, file string, values any) error {
	var content bytes.Buffer
	if err := templates.ExecuteTemplate(&content, name, values); err != nil {
		return err
	}
	path := filepath.Join(folder, file)
	if err := os.WriteFile(path+".new", content.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
