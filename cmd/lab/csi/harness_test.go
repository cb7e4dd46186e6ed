package csi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// planted are the faults of a test's drivers.
type planted struct {
	mu     sync.Mutex
	faults map[string]bool
}

func (p *planted) set(fault string, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults == nil {
		p.faults = map[string]bool{}
	}
	p.faults[fault] = on
}

func (p *planted) active(fault string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[fault]
}

// testDriver is a driver without faults, whose log is the test's.
func testDriver(t *testing.T, name, node, stateDir string) *driver {
	t.Helper()
	return faultyDriver(t, name, node, stateDir, &planted{})
}

func faultyDriver(t *testing.T, name, node, stateDir string, faults *planted) *driver {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, nil))
	d, err := newDriver(name, node, stateDir, 100<<30, faults.active, log)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type testWriter struct{ *testing.T }

func (w testWriter) Write(line []byte) (int, error) {
	w.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}

// shortTempDir is a directory whose sockets' paths the kernel accepts.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "csi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// serveForTest serves until the test ends.
func serveForTest(t *testing.T, server *grpc.Server, endpoint string) {
	t.Helper()
	l, err := listen(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(context.Background(), server, lateListener{l}) }()
	t.Cleanup(func() {
		server.Stop() // not gracefully: clients of the test may keep their connection
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the server does not end")
		}
	})
}

// lateListener greets a little late. The connect helper of the sanity tests waits for the
// connection's state to change after it has looked at it first: a connection that is ready
// between the two keeps it waiting for a minute.
type lateListener struct{ net.Listener }

func (l lateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	<-time.After(50 * time.Millisecond)
	return c, err
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
