package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// Trouble is what kind of silence a service met a request with.
type Trouble string

// The kinds of trouble with a connection.
const (
	Interrupted Trouble = "interrupted"
	Unresolved  Trouble = "its name does not resolve"
	Refused     Trouble = "connection refused"
	Silent      Trouble = "no answer in time"
	NoRoute     Trouble = "no route"
	Broken      Trouble = "connection broken"
	Untrusted   Trouble = "certificate of an unknown authority"
	Misnamed    Trouble = "certificate for another name"
	OutOfDate   Trouble = "certificate not valid now"
	NoTLS       Trouble = "no TLS"
	// Odd is everything else, an answer that is an error included.
	Odd Trouble = "another error"
)

// TroubleOf classifies an error of a request; "" for nil.
func TroubleOf(err error) Trouble {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return Interrupted
	case errors.As(err, &dns) && !dns.IsTimeout:
		return Unresolved
	case errors.As(err, &authority):
		return Untrusted
	case errors.As(err, &hostname):
		return Misnamed
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return OutOfDate
	case errors.As(err, &invalid):
		return Untrusted
	case errors.As(err, &record), errors.Is(err, ErrInTheClear), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return NoTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return NoRoute
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Silent
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return Broken
	}
	return Odd
}
