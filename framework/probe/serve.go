package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// Paths of the server. Every other path is answered with an Echo.
const (
	ReadyPath     = "/ready"
	SinkPath      = "/sink"
	WebSocketPath = "/websocket"
	EventsPath    = "/events"
)

// Ports that the server listens on where nothing else is said.
const (
	ServePort    = 8080
	ServeTLSPort = 8443
)

const (
	// EventPause is the time between two events of EventsPath.
	EventPause = 500 * time.Millisecond
	// maxEvents bounds what ?count= may ask for.
	maxEvents = 240
	// serveHeaderTime bounds how long a client may take to send a request's head.
	serveHeaderTime = 10 * time.Second
)

// ServeOptions describe the server in a pod.
type ServeOptions struct {
	// Token is what the server is known by: it stands in each of its answers.
	Token string
	// Port for plain HTTP/1.1.
	Port int
	// TLSPort for HTTP/1.1 over TLS with a certificate that the server makes for itself; 0 for none.
	TLSPort int
	// TLSName is the DNS name in that certificate.
	TLSName string
}

// Args returns the arguments with which cmd/probe does the same.
func (o ServeOptions) Args() []string {
	args := []string{"serve", "--token=" + o.Token, "--port=" + strconv.Itoa(o.Port)}
	if o.TLSPort != 0 {
		args = append(args, "--tls-port="+strconv.Itoa(o.TLSPort), "--tls-name="+o.TLSName)
	}
	return args
}

// Echo is a request as the server saw it.
type Echo struct {
	Token  string `json:"token"`
	Method string `json:"method"`
	// Scheme of the connection to the server itself: http or https.
	Scheme  string      `json:"scheme"`
	Host    string      `json:"host"`
	Path    string      `json:"path"`
	Peer    string      `json:"peer"`
	Headers http.Header `json:"headers"`
	// Certificate is the SHA-256 of the server's own certificate, in hex; empty without TLSPort.
	Certificate string `json:"certificate,omitempty"`
}

// Sunk is what SinkPath answers: how much of the request's body came.
type Sunk struct {
	Token string `json:"token"`
	Bytes int64  `json:"bytes"`
	// Trouble is why the body ended before its end.
	Trouble *Trouble `json:"trouble,omitempty"`
}

// Event is one event of EventsPath, as JSON after "data: ".
type Event struct {
	Token string `json:"token"`
	// Number counts from 0.
	Number int `json:"number"`
}

// Serve answers requests until ctx ends, and returns why it could not begin to.
func Serve(ctx context.Context, o ServeOptions) error {
	plain, err := listenOn(ctx, o.Port)
	if err != nil {
		return err
	}
	defer plain.Close()
	s := &service{token: o.Token}
	var secured net.Listener
	if o.TLSPort != 0 {
		// Its key never leaves this process.
		certificate, err := SelfSigned("conformance throwaway pod", o.TLSName, time.Now())
		if err != nil {
			return err
		}
		sum := sha256.Sum256(certificate.Certificate[0])
		s.certificate = hex.EncodeToString(sum[:])
		if secured, err = listenOn(ctx, o.TLSPort); err != nil {
			return err
		}
		defer secured.Close()
		secured = tls.NewListener(secured, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	return s.serve(ctx, plain, secured)
}

// listenOn opens a port. Nothing is sent on a connection that is idle, not even to keep it alive:
// how long an idle one lasts is a thing to measure.
func listenOn(ctx context.Context, port int) (net.Listener, error) {
	listener, err := (&net.ListenConfig{KeepAlive: -1}).Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return listener, nil
}

// service answers on the listeners of one server.
type service struct {
	token       string
	certificate string
}

func (s *service) serve(ctx context.Context, plain, secured net.Listener) error {
	server := &http.Server{Handler: s.handler(ctx), ReadHeaderTimeout: serveHeaderTime}
	ended := make(chan error, 2)
	for _, listener := range []net.Listener{plain, secured} {
		if listener != nil {
			go func() { ended <- server.Serve(listener) }()
		}
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	server.Close() // also what is idle; a WebSocket ends with ctx
	return err
}

func (s *service) handler(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(ReadyPath, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ready\n") })
	mux.HandleFunc(SinkPath, s.sink)
	mux.HandleFunc(WebSocketPath, func(w http.ResponseWriter, r *http.Request) { s.talk(ctx, w, r) })
	mux.HandleFunc(EventsPath, func(w http.ResponseWriter, r *http.Request) { s.events(ctx, w, r) })
	mux.HandleFunc("/", s.echo)
	return mux
}

func (s *service) echo(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	answer(w, Echo{Token: s.token, Method: r.Method, Scheme: scheme, Host: r.Host, Path: r.URL.Path,
		Peer: r.RemoteAddr, Headers: r.Header, Certificate: s.certificate})
}

// sink counts a body and keeps none of it.
func (s *service) sink(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	sunk := Sunk{Token: s.token, Bytes: n}
	if err != nil {
		sunk.Trouble = networkTrouble(err)
	}
	answer(w, sunk)
}

// talk sends each message of a WebSocket back.
func (s *service) talk(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	connection, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered what is wrong with the request
	}
	defer connection.CloseNow()
	for {
		kind, message, err := connection.Read(ctx)
		if err == nil {
			err = connection.Write(ctx, kind, message)
		}
		if err != nil {
			connection.Close(websocket.StatusGoingAway, "")
			return
		}
	}
}

// events sends server-sent events, ?count= of them, EventPause apart.
func (s *service) events(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	count, err := strconv.Atoi(r.URL.Query().Get("count"))
	if err != nil || count < 1 || count > maxEvents {
		http.Error(w, "count is missing or too large", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	ticker := time.NewTicker(EventPause)
	defer ticker.Stop()
	flusher := http.NewResponseController(w)
	for number := range count {
		text, _ := json.Marshal(Event{Token: s.token, Number: number})
		fmt.Fprintf(w, "data: %s\n\n", text)
		if flusher.Flush() != nil || number == count-1 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

func answer(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(result)
}

// SelfSigned makes a key and a certificate for a DNS name, signed by itself and valid for a day.
// owner is its subject's common name.
func SelfSigned(owner, name string, now time.Time) (tls.Certificate, error) {
	if name == "" {
		return tls.Certificate{}, errors.New("a certificate needs a name")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: owner}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
