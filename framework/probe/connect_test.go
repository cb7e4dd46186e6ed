package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(connection)
		}
	}()
	return listener.Addr().String()
}

// closedPort is an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// dnsServer answers A questions for the names it is given; for "silent." it says nothing.
func dnsServer(t *testing.T, names map[string][4]byte) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			var message dnsmessage.Message
			if message.Unpack(packet[:n]) != nil || len(message.Questions) == 0 {
				continue
			}
			question := message.Questions[0]
			if strings.HasPrefix(question.Name.String(), "silent.") {
				continue
			}
			message.Response = true
			if ip, known := names[question.Name.String()]; !known {
				message.RCode = dnsmessage.RCodeNameError
			} else if question.Type == dnsmessage.TypeA {
				message.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 60},
					Body:   &dnsmessage.AResource{A: ip}}}
			}
			message.Additionals = nil
			if answer, err := message.Pack(); err == nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
	return socket.LocalAddr().String()
}

func TestDNS(t *testing.T) {
	server := dnsServer(t, map[string][4]byte{"hub.aiv.test.": {10, 1, 2, 3}})
	if got := DNS(t.Context(), "hub.aiv.test", server); got.Trouble != nil || len(got.Addresses) != 1 || got.Addresses[0] != "10.1.2.3" || got.Canonical != "hub.aiv.test." {
		t.Errorf("got %+v (%v)", got, got.Trouble)
	}
	if got := DNS(t.Context(), "other.aiv.test.", server); got.Trouble == nil || got.Trouble.Kind != NoSuchHost {
		t.Errorf("unknown name: %+v", got.Trouble)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got := DNS(ctx, "silent.aiv.test.", server); got.Trouble == nil || got.Trouble.Kind != Timeout {
		t.Errorf("silent server: %+v", got.Trouble)
	}
}

func TestTheStepThatBroke(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = io.WriteString(w, "host "+r.Host)
	})
	plain, secure := httptest.NewServer(page), httptest.NewTLSServer(page)
	defer plain.Close()
	defer secure.Close()
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	secureAddress := secure.Listener.Addr().String()
	_, securePort, _ := net.SplitHostPort(secureAddress)
	silent := listen(t, func(c net.Conn) { time.Sleep(5 * time.Second); c.Close() })
	// It waits for the first byte, so that the reset meets the handshake and not the connect.
	resets := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	})
	garbage := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail ready\r\n"); time.Sleep(time.Second); c.Close() })
	server := dnsServer(t, map[string][4]byte{"hub.aiv.test.": {127, 0, 0, 1}, "example.com.": {127, 0, 0, 1}})
	quick := 400 * time.Millisecond

	for _, c := range []struct {
		name  string
		run   func() Connection
		broke string
		kind  string
		steps string
	}{
		{"tcp", func() Connection { return TCP(t.Context(), plain.Listener.Addr().String(), ConnectOptions{}) }, "", "", "TCP"},
		{"tcp by name", func() Connection { return TCP(t.Context(), "hub.aiv.test:"+securePort, ConnectOptions{Server: server}) }, "", "", "DNS TCP"},
		{"unknown name", func() Connection { return TCP(t.Context(), "no.aiv.test.:80", ConnectOptions{Server: server}) }, StepDNS, NoSuchHost, "DNS"},
		{"refused", func() Connection { return TCP(t.Context(), closedPort(t), ConnectOptions{}) }, StepTCP, Refused, "TCP"},
		{"no port", func() Connection { return TCP(t.Context(), "hub.aiv.test", ConnectOptions{}) }, StepTCP, Other, "TCP"},
		{"tls, own CA", func() Connection { return TLS(t.Context(), secureAddress, ConnectOptions{CAs: own}) }, "", "", "TCP TLS"},
		{"tls, unknown CA", func() Connection { return TLS(t.Context(), secureAddress, ConnectOptions{}) }, StepTLS, BadCert, "TCP TLS"},
		{"tls, other name", func() Connection {
			return TLS(t.Context(), "hub.aiv.test:"+securePort, ConnectOptions{Server: server, CAs: own})
		}, StepTLS, BadCert, "DNS TCP TLS"},
		{"tls, right name asked for", func() Connection {
			return TLS(t.Context(), secureAddress, ConnectOptions{CAs: own, ServerName: "example.com"})
		}, "", "", "TCP TLS"},
		{"tls to plain HTTP", func() Connection { return TLS(t.Context(), plain.Listener.Addr().String(), ConnectOptions{}) }, StepTLS, NotTLS, "TCP TLS"},
		{"tls to silence", func() Connection { return TLS(t.Context(), silent, ConnectOptions{Timeout: quick}) }, StepTLS, Timeout, "TCP TLS"},
		{"tls reset", func() Connection { return TLS(t.Context(), resets, ConnectOptions{}) }, StepTLS, Reset, "TCP TLS"},
		{"http", func() Connection { return HTTP(t.Context(), plain.URL, ConnectOptions{}) }, "", "", "TCP HTTP"},
		{"https", func() Connection { return HTTP(t.Context(), secure.URL, ConnectOptions{CAs: own}) }, "", "", "TCP TLS HTTP"},
		{"http, bad gateway", func() Connection { return HTTP(t.Context(), plain.URL+"/broken", ConnectOptions{}) }, StepHTTP, BadStatus, "TCP HTTP"},
		{"http, expected status", func() Connection { return HTTP(t.Context(), plain.URL+"/broken", ConnectOptions{Status: 502}) }, "", "", "TCP HTTP"},
		{"http, other status", func() Connection { return HTTP(t.Context(), plain.URL, ConnectOptions{Status: 401}) }, StepHTTP, BadStatus, "TCP HTTP"},
		{"http to another protocol", func() Connection { return HTTP(t.Context(), "http://"+garbage, ConnectOptions{}) }, StepHTTP, BadAnswer, "TCP HTTP"},
		{"http to silence", func() Connection { return HTTP(t.Context(), "http://"+silent, ConnectOptions{Timeout: quick}) }, StepHTTP, Timeout, "TCP HTTP"},
		{"no URL", func() Connection { return HTTP(t.Context(), "hub:80", ConnectOptions{}) }, StepHTTP, Other, "HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.run()
			var steps []string
			for _, step := range got.Steps {
				steps = append(steps, step.Name)
			}
			kind := ""
			if got.Trouble != nil {
				kind = got.Trouble.Kind
			}
			if got.Broke != c.broke || kind != c.kind || strings.Join(steps, " ") != c.steps {
				t.Errorf("broke %q kind %q steps %q, want %q %q %q (%v)", got.Broke, kind, steps, c.broke, c.kind, c.steps, got.Trouble)
			}
			if text, _ := json.Marshal(got); len(text) > maxResult {
				t.Errorf("%d bytes", len(text))
			}
		})
	}
	if shown := TLS(t.Context(), secureAddress, ConnectOptions{}).Certificate; shown == nil || !strings.Contains(strings.Join(shown.Names, " "), "example.com") {
		t.Errorf("a refused certificate is not shown: %+v", shown)
	}
}

func TestThroughAProxy(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer secure.Close()
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	proxy := listen(t, func(c net.Conn) {
		defer c.Close()
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil || request.Method != http.MethodConnect {
			return
		}
		if user, _, _ := basicAuth(request); user != "jane" {
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
			return
		}
		far, err := net.Dial("tcp", request.Host)
		if err != nil {
			return
		}
		defer far.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, c) }()
		_, _ = io.Copy(c, far)
	})
	got := HTTP(t.Context(), secure.URL, ConnectOptions{CAs: own, Proxy: "http://jane:secret@" + proxy})
	if !got.OK() || string(got.Body) != "hello" {
		t.Errorf("got %+v (%v)", got, got.Trouble)
	}
	if text, _ := json.Marshal(got); strings.Contains(string(text), "secret") {
		t.Errorf("the proxy's password is in the result: %s", text)
	}
	if got := HTTP(t.Context(), secure.URL, ConnectOptions{CAs: own, Proxy: "http://" + proxy}); got.Broke != StepProxy || got.Trouble.Kind != BadStatus {
		t.Errorf("without credentials: %+v (%v)", got, got.Trouble)
	}
}

func basicAuth(r *http.Request) (user, password string, ok bool) {
	r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
	return r.BasicAuth()
}

func TestTroubleOfFiles(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EROFS: ReadOnly, syscall.ENOSPC: NoSpace, syscall.EDQUOT: QuotaExceeded, syscall.EACCES: Denied,
		syscall.ENOLCK: NoLocks, syscall.EIO: IOError, errors.New("odd"): Other,
	} {
		if got := troubleOf(&os.PathError{Op: "write", Path: "/data/x", Err: err}); got.Kind != want {
			t.Errorf("%v: %q, want %q", err, got.Kind, want)
		}
	}
}

func TestResultsGoThroughTheTerminationMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "termination-log")
	t.Setenv(ResultVariable, path)
	if err := Write(Resolution{Name: "x", MS: 1.5}); err != nil {
		t.Fatal(err)
	}
	message, _ := os.ReadFile(path)
	if got, err := Decode[Resolution](message); err != nil || got.Name != "x" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := Write(strings.Repeat("x", maxResult)); err == nil {
		t.Error("a result that the kubelet would cut was written")
	}
	if _, err := Decode[Resolution]([]byte("panic: oops")); err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("got %v", err)
	}
}
