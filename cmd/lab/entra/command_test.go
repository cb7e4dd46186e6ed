package entra

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"

	"aiv.internal/conformance/cmd/lab/state"
)

// TestStandalone runs the command as tests of clients do, in an empty folder.
func TestStandalone(t *testing.T) {
	dir := state.Dir(t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	o := options{dir: dir, addr: "127.0.0.1:0", standalone: true}
	go func() { done <- o.run(ctx, writer) }()

	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ LoginURL, TenantID, CAFile, ClientSecretFile string }
	if err := json.Unmarshal(line, &said); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(said.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get(said.LoginURL + "/" + said.TenantID + "/v2.0/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Error(answer.Status)
	}
	if info, err := os.Stat(said.ClientSecretFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file: %v, %v", info, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
