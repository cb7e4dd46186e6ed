package probe

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// serveHere starts the server on free ports and returns its addresses, with TLS and without.
func serveHere(t *testing.T) (plain, secured string) {
	t.Helper()
	o := ServeOptions{Token: "here-i-am", Port: freePort(t), TLSPort: freePort(t), TLSName: "backend.example"}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	plain, secured = fmt.Sprintf("127.0.0.1:%d", o.Port), fmt.Sprintf("127.0.0.1:%d", o.TLSPort)
	for range 100 {
		if connection, err := net.Dial("tcp", secured); err == nil {
			connection.Close()
			return plain, secured
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the server does not listen")
	return "", ""
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestServeEchoes(t *testing.T) {
	plain, secured := serveHere(t)
	got := fetch[Echo](t, http.DefaultClient, request(t, http.MethodGet, "http://"+plain+"/a/path", nil))
	if got.Token != "here-i-am" || got.Scheme != "http" || got.Path != "/a/path" || got.Host != "hub.example" ||
		got.Headers.Get("X-Forwarded-Proto") != "https" || !strings.HasPrefix(got.Peer, "127.0.0.1:") || got.Certificate == "" {
		t.Errorf("%+v", got)
	}
	var served string
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		served = hex.EncodeToString(sum[:])
		return state.PeerCertificates[0].VerifyHostname("backend.example")
	}}}}
	over := fetch[Echo](t, client, request(t, http.MethodGet, "https://"+secured+"/", nil))
	if over.Scheme != "https" || over.Certificate != served || over.Certificate != got.Certificate {
		t.Errorf("served %s: %+v", served, over)
	}
}

func TestServeCountsBodies(t *testing.T) {
	plain, _ := serveHere(t)
	const size = 3 << 20
	got := fetch[Sunk](t, http.DefaultClient, request(t, http.MethodPost, "http://"+plain+SinkPath, io.LimitReader(endless{}, size)))
	if got.Bytes != size || got.Token != "here-i-am" || got.Trouble != nil {
		t.Errorf("%+v", got)
	}
}

func TestServeTalks(t *testing.T) {
	plain, _ := serveHere(t)
	connection, _, err := websocket.Dial(t.Context(), "ws://"+plain+WebSocketPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.CloseNow()
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		if err := connection.Write(t.Context(), kind, []byte("a kernel's message")); err != nil {
			t.Fatal(err)
		}
		back, message, err := connection.Read(t.Context())
		if err != nil || back != kind || string(message) != "a kernel's message" {
			t.Errorf("%v %q %v", back, message, err)
		}
	}
	answer, err := http.Get("http://" + plain + WebSocketPath)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("a request without upgrade is answered %s", answer.Status)
	}
}

func TestServeSendsEventsOneByOne(t *testing.T) {
	plain, _ := serveHere(t)
	answer, err := http.Get("http://" + plain + EventsPath + "?count=3")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var came []time.Time
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), "data: "); is {
			var event Event
			if err := json.Unmarshal([]byte(text), &event); err != nil || event.Number != len(came) || event.Token != "here-i-am" {
				t.Fatalf("%q: %v", text, err)
			}
			came = append(came, time.Now())
		}
	}
	if len(came) != 3 || came[1].Sub(came[0]) < EventPause/2 || came[2].Sub(came[1]) < EventPause/2 {
		t.Errorf("%v", came)
	}
	wrong, err := http.Get("http://" + plain + EventsPath)
	if err != nil {
		t.Fatal(err)
	}
	wrong.Body.Close()
	if wrong.StatusCode != http.StatusBadRequest {
		t.Error(wrong.Status)
	}
}

func TestServeNeedsItsPort(t *testing.T) {
	plain, _ := serveHere(t)
	taken, _ := net.ResolveTCPAddr("tcp", plain)
	if err := Serve(t.Context(), ServeOptions{Token: "x", Port: taken.Port}); err == nil || !strings.Contains(err.Error(), "listen on port") {
		t.Errorf("%v", err)
	}
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "hub.example"
	r.Header.Set("X-Forwarded-Proto", "https")
	return r
}

func fetch[T any](t *testing.T, client *http.Client, r *http.Request) (result T) {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&result); err != nil {
		t.Fatal(err)
	}
	return result
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
