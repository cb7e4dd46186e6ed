//go:build lab

package ingress

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// freePort is one that nobody listens on.
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

// TestNGINX runs nginx itself on the loopback: it shows the certificate, a new one when told so,
// and can be found and ended by the mark that all processes of the lab carry.
func TestNGINX(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Fatal(err)
	}
	dir := state.Dir(t.TempDir())
	if err := errors.Join(dir.Make(), pki.Create(dir), writeNGINX(dir, Way{})); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(nginxFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", freePort(t))
	local := strings.NewReplacer(
		topology.HostIP+":"+nginxHTTPS, address,
		topology.HostIP+":"+nginxHTTP, net.JoinHostPort("127.0.0.1", freePort(t))).Replace(string(content))
	if err := os.WriteFile(nginxFile(dir), []byte(local), 0o644); err != nil {
		t.Fatal(err)
	}
	supervisor := process.Supervisor{Dir: dir}
	t.Cleanup(func() { supervisor.Stop(hubserver.NGINX, stopGrace) })
	shows := func(ctx context.Context) error { return hubserver.ShowsAt(ctx, dir, address) }
	if err := supervisor.Start(t.Context(), nginxSpec(dir, address)); err != nil {
		t.Fatal(err)
	}
	if err := pki.Create(dir); err != nil {
		t.Fatal(err)
	}
	if err := hubserver.Reread(t.Context(), supervisor, hubserver.NGINX); err != nil {
		t.Fatal(err)
	}
	if err := process.Until(t.Context(), shows); err != nil {
		t.Fatal(err)
	}
	server, running := supervisor.Find(hubserver.NGINX)
	environment, err := os.ReadFile("/proc/" + strconv.Itoa(server.PID) + "/environ")
	if err != nil || !running || !strings.Contains(string(environment), state.ProcessVariable+"="+string(dir)) {
		t.Errorf("running %t, its environment is %q, %v", running, environment, err)
	}
	if killed, err := supervisor.KillAll(); err != nil || killed != 1 {
		t.Errorf("%d processes ended, error %v", killed, err)
	}
	if err := shows(t.Context()); err == nil {
		t.Error("it still serves")
	}
}
