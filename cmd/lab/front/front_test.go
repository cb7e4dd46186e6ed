package front

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// until runs serve and expects it to end without an error when the test does.
func until(t *testing.T, serve func(ctx context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestForwardCutsWhatIsIdle(t *testing.T) {
	echo := listener(t)
	t.Cleanup(func() { echo.Close() })
	go func() {
		for {
			connection, err := echo.Accept()
			if err != nil {
				return
			}
			go io.Copy(connection, connection)
		}
	}()
	l := listener(t)
	until(t, func(ctx context.Context) error { return Forward(ctx, l, echo.Addr().String(), 300*time.Millisecond) })
	connection, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	back := make([]byte, 1)
	for range 4 { // busy for longer than the idle time
		if _, err := connection.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(connection, back); err != nil {
			t.Fatal("cut while it was used: ", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	began := time.Now()
	connection.SetReadDeadline(began.Add(5 * time.Second))
	if _, err := connection.Read(back); err != io.EOF || time.Since(began) > 2*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestTerminateShowsItsOwnCertificate(t *testing.T) {
	behind := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Host+" "+r.TLS.ServerName+" "+r.Header.Get("X-Forwarded-Proto"))
	}))
	defer behind.Close()
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS()
	pair := other.TLS.Certificates[0]
	other.Close()
	l := listener(t)
	until(t, func(ctx context.Context) error { return Terminate(ctx, l, behind.Listener.Addr().String(), pair) })
	client := &http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) },
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	answer, err := client.Get("https://hub.example/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); string(text) != "hub.example hub.example https" {
		t.Errorf("%q", text)
	}
}
