package network

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestPublishedAddressBehindTheVIP: another address is right where it leads to the pod too, and
// wrong where it leads to somebody else. Silence tells nothing.
func TestPublishedAddressBehindTheVIP(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	e := &entrance{visitor: proxyTo(t, backend, nil, nil, nil), token: testToken}
	_, port, _ := net.SplitHostPort(e.address)
	for _, address := range []string{"127.0.0.2", "127.0.0.3"} {
		acceptOnly(t, net.JoinHostPort(address, port))
	}
	began := time.Now()
	if ours, others := e.askAt(t.Context(), []string{"127.0.0.2", "127.0.0.3", "127.0.0.1"}); !ours || len(others) > 0 {
		t.Errorf("the pod is not found at the published address: %v", others)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("those who say nothing were waited for: %v", took)
	}
	for _, none := range [][]string{{"127.0.0.4"}, nil} {
		if ours, others := e.askAt(t.Context(), none); ours || len(others) > 0 {
			t.Errorf("somebody is found at %v, where nobody answers: ours %t, %v", none, ours, others)
		}
	}
	e.token = "another-pod"
	if ours, others := e.askAt(t.Context(), []string{"127.0.0.4", "127.0.0.1"}); ours || len(others) != 1 || !strings.Contains(others[0], "127.0.0.1 answers 200 OK") {
		t.Errorf("another pod is not told from ours: ours %t, %v", ours, others)
	}
}

// acceptOnly takes connections at the address and says nothing on them.
func acceptOnly(t *testing.T, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
}
