package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
)

// TestServesFromTheStateFolder runs the command as `lab up` does, with nothing but the state
// folder, on a free port of loopback.
func TestServesFromTheStateFolder(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	if err := pki.Create(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir.RegistryPassword(), []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options{dir: dir, addr: freePort(t)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- o.run(ctx) }()

	client := clientOf(t, dir)
	defer client.CloseIdleConnections()
	ask := func(ctx context.Context, user, password string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+o.addr+"/v2/", nil)
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(user, password)
		response, err := client.Do(r)
		if err == nil {
			response.Body.Close()
		}
		return response, err
	}
	up, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := process.Until(up, func(ctx context.Context) error { _, err := ask(ctx, "", ""); return err }); err != nil {
		t.Fatal(err)
	}
	reader, err := os.ReadFile(ReaderPassword(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, password string
		want           int
	}{{"jupyterhub", "right", 200}, {"jupyterhub", "wrong", 401}, {Reader, strings.TrimSpace(string(reader)), 200}} {
		if response, err := ask(t.Context(), c.user, c.password); err != nil || response.StatusCode != c.want {
			t.Errorf("%s: %v, %v; expected %d", c.user, response, err, c.want)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func clientOf(t *testing.T, dir state.Dir) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(dir.CA())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestPasswordFaultSurvivesARestart(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	path := dir.Run("registry.htpasswd")
	write := func(file, content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(dir.RegistryPassword(), "right")
	if err := labUsers(dir, path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(dir.Fault(FaultPassword), "right")
	write(dir.RegistryPassword(), "wrong")
	if err := labUsers(dir, path); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the registry took over the wrong password")
	}
}
