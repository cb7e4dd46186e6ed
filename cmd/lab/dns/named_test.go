//go:build lab

package dns

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// TestNamed has named itself read the files and answer.
func TestNamed(t *testing.T) {
	// The copy, as the lab does: AppArmor keeps the installed program from the test's folders.
	program := filepath.Join(t.TempDir(), "named")
	if err := copyProgram(program); err != nil {
		t.Fatal(err)
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
	err := supervisor.Start(t.Context(), process.Spec{
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
