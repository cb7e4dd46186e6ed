// Package dns is the company's DNS: two servers, BIND's named, that are authoritative for its
// domain and resolve nothing else. Each knows two views of the domain, one for the cluster's
// pods and one for everybody else, which are the same until a fault is planted.
package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Server is one of the company's DNS servers.
type Server struct {
	// Name is that of its process and its folder.
	Name    string
	Address string
}

// Servers are the company's DNS servers.
func Servers() []Server {
	return []Server{{"dns1", topology.DNSServer1}, {"dns2", topology.DNSServer2}}
}

// Start writes the servers' files and starts them. Planted faults stay planted.
func Start(ctx context.Context, supervisor process.Supervisor) error {
	if err := write(supervisor.Dir, planted(supervisor.Dir)); err != nil {
		return err
	}
	program := supervisor.Dir.Run("named")
	if err := copyProgram(program); err != nil {
		return err
	}
	var failed []error
	for _, server := range Servers() {
		failed = append(failed, supervisor.Start(ctx, process.Spec{
			Name:    server.Name,
			Command: []string{program, "-g", "-4", "-n", "1", "-c", server.configuration(supervisor.Dir)},
			Ready:   server.ready,
		}))
	}
	return errors.Join(failed...)
}

// copyProgram makes the copy of named that runs: AppArmor, where it confines the program of
// that path to the folders of Debian's own service, lets a copy be.
func copyProgram(to string) error {
	installed, err := exec.LookPath("named")
	if err != nil {
		return err
	}
	from, err := os.Open(installed)
	if err != nil {
		return err
	}
	defer from.Close()
	// A child that another part of the lab forks meanwhile would hold the file open for writing for
	// a moment, and such a file cannot be started.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	// One that runs cannot be written to, but replaced.
	file, err := os.OpenFile(to+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// Ready asks every server for the company's domain.
func Ready(ctx context.Context) error {
	var failed []error
	for _, server := range Servers() {
		failed = append(failed, server.ready(ctx))
	}
	return errors.Join(failed...)
}

func (s Server) ready(ctx context.Context) error {
	_, err := markAt(ctx, s.Address)
	return err
}

// ReadyForPods asks the cluster's DNS, which asks these servers.
func ReadyForPods(ctx context.Context) error {
	_, err := markAt(ctx, topology.DNSServiceIP)
	return err
}

// Change makes the servers answer as the planted faults have it, without those that are being
// mended, and waits until they and the cluster's DNS do.
func Change(ctx context.Context, supervisor process.Supervisor, mended ...string) error {
	faults := slices.DeleteFunc(planted(supervisor.Dir), func(name string) bool { return slices.Contains(mended, name) })
	if err := write(supervisor.Dir, faults); err != nil {
		return err
	}
	want := mark(faults)
	asked := []string{topology.DNSServiceIP}
	for _, server := range Servers() {
		record, running := supervisor.Find(server.Name)
		if !running {
			continue // it reads its files when it starts
		}
		if err := syscall.Kill(record.PID, syscall.SIGHUP); err != nil {
			return fmt.Errorf("have %s read its files: %w", server.Name, err)
		}
		asked = append(asked, server.Address)
	}
	if len(asked) == 1 {
		return nil // the lab is down
	}
	return process.Until(ctx, func(ctx context.Context) error {
		for _, address := range asked {
			if got, err := markAt(ctx, address); err != nil || got != want {
				return errors.Join(fmt.Errorf("%s answers with %q, not yet with %q", address, got, want), err)
			}
		}
		return nil
	})
}

// markAt asks a server for the mark of its zone (see mark).
func markAt(ctx context.Context, address string) (string, error) {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(address, "53"))
	}}
	texts, err := resolver.LookupTXT(ctx, markName+"."+topology.Domain+".")
	if err != nil {
		return "", fmt.Errorf("DNS server %s: %w", address, err)
	}
	if len(texts) != 1 {
		return "", fmt.Errorf("DNS server %s has %d marks", address, len(texts))
	}
	return texts[0], nil
}

// planted are the faults that the servers' answers are to hold now.
func planted(dir state.Dir) []string {
	var names []string
	for _, name := range Faults() {
		if dir.FaultActive(name) {
			names = append(names, name)
		}
	}
	return names
}
