package company

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/topology"
)

// address is one of the loopback's that no other test listens at.
const address = "127.64.0.1"

func TestStandInsAnswer(t *testing.T) {
	authority, err := pki.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := authority.Issue(pki.Request{CommonName: "stand-ins", Hosts: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(issued.Certificate, issued.Key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, address, pair, slog.New(slog.DiscardHandler)) }()

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.Certificate)
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	for _, s := range append(sites(), site{"metadata server", topology.MetadataPort}) {
		scheme := "https://"
		if s.port == topology.MetadataPort {
			scheme = "http://"
		}
		var response *http.Response
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if response, err = client.Get(scheme + net.JoinHostPort(address, s.port)); err == nil || time.Now().After(end) {
				break
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if !strings.Contains(string(body), "simulated "+s.name) || response.Header.Get(simulatedHeader) == "" {
			t.Errorf("%s: %s %q", s.name, response.Status, body)
		}
	}
	connection, err := net.Dial("tcp", net.JoinHostPort(address, topology.CephMonPort))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if banner, err := io.ReadAll(connection); err != nil || string(banner) != cephBanner {
		t.Errorf("%q, %v", banner, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
