package outbound

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

func serve(t *testing.T) (server *httptest.Server, caFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return server, caFile
}

func ask(t *testing.T, address, caFile string) error {
	t.Helper()
	roots, err := Trust(caFile, "x.caFile")
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: Transport(roots, answers.Proxies{})}
	response, err := client.Get(address)
	if err == nil {
		response.Body.Close()
	}
	return err
}

func TestTroubles(t *testing.T) {
	server, ca := serve(t)
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked in the clear") }))
	defer plain.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		address, ca string
		want        Trouble
	}{
		"none":              {server.URL, ca, ""},
		"unknown authority": {server.URL, "", Untrusted},
		"another name":      {strings.Replace(server.URL, "127.0.0.1", "localhost", 1), ca, Misnamed},
		"in the clear":      {plain.URL, ca, NoTLS},
		"no TLS":            {"https://" + plain.Listener.Addr().String(), ca, NoTLS},
		"refused":           {"https://" + closed.Listener.Addr().String(), ca, Refused},
		"unknown name":      {"https://service.invalid", ca, Unresolved},
	} {
		if err := ask(t, c.address, c.ca); TroubleOf(err) != c.want {
			t.Errorf("%s: %q, want %q: %v", name, TroubleOf(err), c.want, err)
		}
	}
	for want, err := range map[Trouble]error{
		Interrupted: context.Canceled, Silent: context.DeadlineExceeded, NoRoute: syscall.ENETUNREACH, Broken: io.ErrUnexpectedEOF, Odd: errors.New("odd"),
	} {
		if got := TroubleOf(&url.Error{Op: "Get", URL: "https://x", Err: fmt.Errorf("below: %w", err)}); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func TestUselessCAFiles(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".missing"} {
		_, err := Trust(file, "x.caFile")
		if f := finding.As(err); f == nil || !f.Undecided || !strings.Contains(f.Do, "x.caFile") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
