package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The steps of a connection, in their order.
const (
	StepDNS   = "DNS"
	StepTCP   = "TCP"
	StepProxy = "proxy"
	StepTLS   = "TLS"
	StepHTTP  = "HTTP"
)

// defaultConnectTime bounds a whole connection.
const defaultConnectTime = 15 * time.Second

// Step is one step that was done, well or not.
type Step struct {
	Name string `json:"name"`
	// MS is how many milliseconds it took.
	MS float64 `json:"ms"`
	// Detail is what it gave: addresses, the peer, the TLS version, the status.
	Detail string `json:"detail,omitempty"`
}

// ConnectOptions say how to connect. The zero value verifies certificates with the system's
// roots and asks the system's resolver.
type ConnectOptions struct {
	// Server is a DNS server (address, with port or without) instead of the system's.
	Server string
	// CAs are PEM certificates that alone are trusted; the system's if empty.
	CAs []byte
	// AlsoSystem trusts the system's beside CAs.
	AlsoSystem bool
	// ServerName overrides the name that TLS asks for and verifies.
	ServerName string
	// Proxy is the URL of an HTTP proxy that the connection goes through.
	Proxy string
	// Method is GET if empty. Header and Body are sent along.
	Method string
	Header http.Header
	Body   string
	// Status is the HTTP status that is expected; 0 for any below 500.
	Status int
	// Timeout bounds the whole, 15 s if zero.
	Timeout time.Duration
}

// CAVariable is the environment variable in which cmd/probe finds CAs: a pod needs no volume
// for them.
const CAVariable = "PROBE_CA"

// Args returns the arguments with which cmd/probe does the same: command is "tcp", "tls" or
// "http". CAs go into CAVariable. Header values show in the pod: no secrets there.
func (o ConnectOptions) Args(command, target string) []string {
	args := []string{command, target}
	for _, option := range []struct{ name, value string }{
		{"server", o.Server}, {"server-name", o.ServerName}, {"proxy", o.Proxy},
	} {
		if option.value != "" {
			args = append(args, "--"+option.name+"="+option.value)
		}
	}
	for name, values := range o.Header {
		for _, value := range values {
			args = append(args, "--header="+name+": "+value)
		}
	}
	if o.Status != 0 {
		args = append(args, "--status="+strconv.Itoa(o.Status))
	}
	if o.Timeout != 0 {
		args = append(args, "--timeout="+o.Timeout.String())
	}
	return args
}

// Connection is how far a connection got.
type Connection struct {
	Target string `json:"target"`
	Steps  []Step `json:"steps"`
	// Broke is the step that did not succeed, empty if all did; Trouble is why.
	Broke   string   `json:"broke,omitempty"`
	Trouble *Trouble `json:"trouble,omitempty"`
	// Addresses are what the name resolved to.
	Addresses []string `json:"addresses,omitempty"`
	// Peer is the address that answered.
	Peer string `json:"peer,omitempty"`
	// Certificate is the one that the server showed.
	Certificate *Certificate `json:"certificate,omitempty"`
	// Status is the HTTP status, Date the server's clock, Challenge what it wants credentials for.
	Status    int    `json:"status,omitempty"`
	Date      string `json:"date,omitempty"`
	Challenge string `json:"challenge,omitempty"`
	// Simulated is what a server that only stands for another one says of itself.
	Simulated string `json:"simulated,omitempty"`
	// Body is the beginning of the answer. It stays in the process: it may hold secrets.
	Body []byte `json:"-"`
}

// OK says that every step succeeded.
func (c Connection) OK() bool { return c.Trouble == nil }

// Certificate is what a reader wants to know of a server's certificate.
type Certificate struct {
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Names   []string  `json:"names,omitempty"`
	Until   time.Time `json:"until"`
	// Chain is how many certificates the server sent.
	Chain int `json:"chain"`
}

// dialer takes a connection from step to step and records each.
type dialer struct {
	options ConnectOptions
	result  Connection
}

// TCP resolves the name in address ("host:port") and connects.
func TCP(ctx context.Context, address string, o ConnectOptions) Connection {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	d := &dialer{options: o, result: Connection{Target: address}}
	if connection := d.dial(ctx, address); connection != nil {
		connection.Close()
	}
	return d.result
}

// TLS connects and verifies the server's certificate.
func TLS(ctx context.Context, address string, o ConnectOptions) Connection {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	d := &dialer{options: o, result: Connection{Target: address}}
	host, _, _ := net.SplitHostPort(address)
	if connection := d.dial(ctx, address); connection != nil {
		if secured := d.secure(ctx, connection, host); secured != nil {
			secured.Close()
		}
		connection.Close()
	}
	return d.result
}

func (o ConnectOptions) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return defaultConnectTime
}

// roots returns what is trusted beside the options' CAs.
func (o ConnectOptions) roots() *x509.CertPool {
	if o.AlsoSystem {
		if system, err := x509.SystemCertPool(); err == nil {
			return system
		}
	}
	return x509.NewCertPool()
}

// dial resolves and connects, to each address in turn until one answers.
func (d *dialer) dial(ctx context.Context, address string) net.Conn {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return d.fail(StepTCP, 0, err)
	}
	addresses := []string{host}
	if _, err := netip.ParseAddr(host); err != nil {
		started := time.Now()
		found, err := lookup(ctx, host, d.options.Server)
		if err != nil {
			return d.fail(StepDNS, time.Since(started), err)
		}
		addresses, d.result.Addresses = found, found
		d.did(StepDNS, time.Since(started), strings.Join(found, " "))
	}
	started := time.Now()
	var last error
	for i, one := range addresses {
		// Each address gets its part of what is left, so that a dead one does not eat it all.
		share, cancel := context.WithTimeout(ctx, shareOf(ctx, len(addresses)-i))
		connection, err := (&net.Dialer{}).DialContext(share, "tcp", net.JoinHostPort(one, port))
		cancel()
		if err == nil {
			d.result.Peer = connection.RemoteAddr().String()
			d.did(StepTCP, time.Since(started), d.result.Peer)
			return connection
		}
		last = err
	}
	return d.fail(StepTCP, time.Since(started), last)
}

func shareOf(ctx context.Context, parts int) time.Duration {
	end, bounded := ctx.Deadline()
	if !bounded {
		return defaultConnectTime
	}
	return time.Until(end) / time.Duration(parts)
}

// secure does the TLS handshake and verifies the chain for host.
func (d *dialer) secure(ctx context.Context, connection net.Conn, host string) net.Conn {
	started := time.Now()
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if d.options.ServerName != "" {
		config.ServerName = d.options.ServerName
	}
	if len(d.options.CAs) > 0 {
		config.RootCAs = d.options.roots()
		if !config.RootCAs.AppendCertsFromPEM(d.options.CAs) {
			return d.fail(StepTLS, 0, &Trouble{Kind: Other, Message: "the CA file holds no PEM certificate"})
		}
	}
	// Called for bad certificates too: what was shown is what the reader wants to see.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		d.result.Certificate = describe(state.PeerCertificates)
		return verifyChain(state.PeerCertificates, config)
	}
	limit(ctx, connection)
	secured := tls.Client(connection, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return d.fail(StepTLS, time.Since(started), err)
	}
	d.did(StepTLS, time.Since(started), tls.VersionName(secured.ConnectionState().Version))
	return secured
}

// verifyChain does what crypto/tls does by itself when it may end the handshake before we
// have seen the certificate.
func verifyChain(chain []*x509.Certificate, config *tls.Config) error {
	if len(chain) == 0 {
		return errors.New("tls: the server sent no certificate")
	}
	between := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		between.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: config.ServerName, Roots: config.RootCAs, Intermediates: between})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

func describe(chain []*x509.Certificate) *Certificate {
	if len(chain) == 0 {
		return nil
	}
	leaf := chain[0]
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	const most = 8 // a result has little room
	return &Certificate{Subject: short(leaf.Subject.String()), Issuer: short(leaf.Issuer.String()),
		Names: names[:min(len(names), most)], Until: leaf.NotAfter.UTC(), Chain: len(chain)}
}

// limit passes ctx's deadline to a connection that does not know of contexts.
func limit(ctx context.Context, connection net.Conn) {
	if end, bounded := ctx.Deadline(); bounded {
		_ = connection.SetDeadline(end)
	}
}

func (d *dialer) did(step string, took time.Duration, detail string) {
	d.result.Steps = append(d.result.Steps, Step{Name: step, MS: milliseconds(took), Detail: short(detail)})
}

// fail records the step that broke; it returns nil for its callers to return.
func (d *dialer) fail(step string, took time.Duration, err error) net.Conn {
	d.result.Steps = append(d.result.Steps, Step{Name: step, MS: milliseconds(took)})
	d.result.Broke, d.result.Trouble = step, networkTrouble(err)
	return nil
}

// networkTrouble sorts what goes wrong with connections.
func networkTrouble(err error) *Trouble {
	var already *Trouble
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var late net.Error
	kind := Other
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &dns) && dns.IsNotFound:
		kind = NoSuchHost
	case errors.As(err, &dns) && dns.IsTimeout:
		kind = Timeout
	case errors.As(err, &dns):
		kind = DNSFailure
	case errors.As(err, &certificate):
		kind = BadCert
	case errors.As(err, &record):
		kind = NotTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		kind = Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		kind = Reset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		kind = NoRoute
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &late) && late.Timeout():
		kind = Timeout
	case errors.Is(err, context.Canceled):
		kind = Stopped
	case strings.Contains(err.Error(), "malformed HTTP"):
		kind = BadAnswer
	}
	return &Trouble{Kind: kind, Message: short(err.Error())}
}
