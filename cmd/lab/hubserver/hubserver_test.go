package hubserver

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
)

// TestShowsAt asks a real server for the chain, before and after the files were replaced.
func TestShowsAt(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := errors.Join(dir.Make(), pki.Create(dir)); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(dir.PKI(pki.HubServer)+".crt", dir.PKI(pki.HubServer)+".key")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	defer server.Close()
	address := server.Listener.Addr().String()
	if err := ShowsAt(t.Context(), dir, address); err != nil {
		t.Errorf("the chain that is served: %v", err)
	}
	short := pair
	short.Certificate = pair.Certificate[:1]
	server.TLS.Certificates[0] = short
	if err := ShowsAt(t.Context(), dir, address); err == nil || !strings.Contains(err.Error(), "1 certificates, not 2") {
		t.Errorf("without the intermediate: %v", err)
	}
	server.TLS.Certificates[0] = pair
	if err := pki.Create(dir); err != nil {
		t.Fatal(err)
	}
	if err := ShowsAt(t.Context(), dir, address); err == nil || !strings.Contains(err.Error(), "another certificate") {
		t.Errorf("after the files were replaced: %v", err)
	}
}

func TestRunning(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	supervisor := process.Supervisor{Dir: dir}
	if got := Running(supervisor); len(got) != 0 {
		t.Errorf("%v run", got)
	}
	if err := supervisor.Start(t.Context(), process.Spec{Name: NGINX, Command: []string{"/bin/sleep", "60"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { supervisor.Stop(NGINX, 0) })
	if got := Running(supervisor); len(got) != 1 || got[0] != NGINX {
		t.Errorf("%v run", got)
	}
}
