package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	// tries is how often a question is asked over UDP, which may lose it, and tryLimit how
	// long each answer is waited for.
	tries    = 3
	tryLimit = 2 * time.Second
	// mostAliases bounds a chain of CNAMEs, as resolvers do.
	mostAliases = 8
)

// dnsServer is a DNS server that is asked directly.
type dnsServer struct {
	// address is host:port.
	address string
	limit   time.Duration
}

func newDNSServer(answered string) dnsServer {
	if _, err := netip.ParseAddr(answered); err == nil {
		return dnsServer{net.JoinHostPort(answered, "53"), tryLimit}
	}
	if _, _, err := net.SplitHostPort(answered); err == nil {
		return dnsServer{answered, tryLimit}
	}
	return dnsServer{net.JoinHostPort(answered, "53"), tryLimit}
}

// refusal is an answer that neither knows nor denies the name.
type refusal struct {
	code int
	kind uint16
}

func (r refusal) Error() string {
	return fmt.Sprintf("it answers %s when asked for %s records", dns.RcodeToString[r.code], dns.TypeToString[r.kind])
}

// ask asks one question over UDP, and over TCP where the answer does not fit. What it returns
// either has the name or denies it; everything else is an error.
func (s dnsServer) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	var answer *dns.Msg
	var err error
	for range tries {
		answer, err = s.exchange(ctx, "udp", name, kind)
		if err == nil && answer.Truncated {
			answer, err = s.exchange(ctx, "tcp", name, kind)
		}
		// A server that fails may only have been slow to ask another.
		if err == nil && answer.Rcode != dns.RcodeServerFailure || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, refusal{answer.Rcode, kind}
	}
	return answer, nil
}

func (s dnsServer) exchange(ctx context.Context, network, name string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	client := dns.Client{Net: network, Timeout: s.limit}
	answer, _, err := client.ExchangeContext(ctx, question, s.address)
	return answer, err
}

// records are the addresses that a name has, by way of its aliases.
type records struct {
	addresses []netip.Addr
	// aliases are the names that CNAMEs lead to, in order.
	aliases []string
	// ttl is the shortest of all records, in seconds.
	ttl uint32
	// authoritative is true where the server has the name itself and does not repeat others.
	authoritative bool
	// denied is the answer's code where there is no address: NXDOMAIN, or NOERROR for a name
	// that has other records.
	denied string
}

// add takes the records of another type to those of the same name.
func (r *records) add(other records) {
	r.addresses = append(r.addresses, other.addresses...)
	slices.SortFunc(r.addresses, netip.Addr.Compare)
	r.addresses = slices.Compact(r.addresses)
	if len(r.aliases) == 0 {
		r.aliases = other.aliases
	}
	if other.ttl > 0 && (r.ttl == 0 || other.ttl < r.ttl) {
		r.ttl = other.ttl
	}
	switch {
	case len(r.addresses) > 0:
		r.denied = ""
	case r.denied != dns.RcodeToString[dns.RcodeNameError]:
		r.denied = other.denied
	}
}

// lookUp returns the addresses of both families.
func (s dnsServer) lookUp(ctx context.Context, name string) (records, error) {
	all, err := s.follow(ctx, name, dns.TypeA)
	if err != nil {
		return all, err
	}
	six, err := s.follow(ctx, name, dns.TypeAAAA)
	all.add(six)
	return all, err
}

// follow asks for records of one type, and again where an alias leads out of an answer.
func (s dnsServer) follow(ctx context.Context, name string, kind uint16) (records, error) {
	var found records
	at := dns.CanonicalName(name)
	for first := true; ; first = false {
		answer, err := s.ask(ctx, at, kind)
		var refused refusal
		if !first && errors.As(err, &refused) {
			return found, s.elsewhere(ctx, at, kind, &found)
		}
		if err != nil {
			return found, err
		}
		if first {
			found.authoritative = answer.Authoritative
		}
		to := found.read(answer, at, kind)
		switch {
		case len(found.addresses) > 0:
			return found, nil
		case len(found.aliases) >= mostAliases:
			return found, fmt.Errorf("its aliases do not end: %s", strings.Join(found.aliases, ", "))
		case to == at, answer.Rcode == dns.RcodeNameError:
			found.denied = dns.RcodeToString[answer.Rcode]
			return found, nil
		}
		at = to
	}
}

// elsewhere resolves an alias that leads to a domain which the server does not tell about: the
// runner's resolver asks whoever does.
func (s dnsServer) elsewhere(ctx context.Context, name string, kind uint16, found *records) error {
	family := map[uint16]string{dns.TypeA: "ip4", dns.TypeAAAA: "ip6"}[kind]
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, family, name)
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		found.denied = dns.RcodeToString[dns.RcodeNameError]
		return nil
	}
	for _, address := range addresses {
		found.addresses = append(found.addresses, address.Unmap())
	}
	return err
}

// read takes the answer's addresses of the name at, by way of the aliases in the answer, and
// returns the name that these lead to.
func (r *records) read(answer *dns.Msg, at string, kind uint16) string {
	shortest := func(header *dns.RR_Header) {
		if len(r.aliases)+len(r.addresses) == 1 || header.Ttl < r.ttl {
			r.ttl = header.Ttl
		}
	}
	// Aliases need not come in order, so each pass looks for the next one.
	for range mostAliases {
		next := ""
		for _, record := range answer.Answer {
			if alias, is := record.(*dns.CNAME); is && dns.CanonicalName(alias.Hdr.Name) == at {
				next = dns.CanonicalName(alias.Target)
				r.aliases = append(r.aliases, strings.TrimSuffix(next, "."))
				shortest(&alias.Hdr)
			}
		}
		if next == "" {
			break
		}
		at = next
	}
	for _, record := range answer.Answer {
		if dns.CanonicalName(record.Header().Name) != at || record.Header().Rrtype != kind {
			continue
		}
		var address netip.Addr
		switch record := record.(type) {
		case *dns.A:
			address, _ = netip.AddrFromSlice(record.A)
		case *dns.AAAA:
			address, _ = netip.AddrFromSlice(record.AAAA)
		}
		r.addresses = append(r.addresses, address.Unmap())
		shortest(record.Header())
	}
	return at
}

// authority is the zone that a name is in, as one server has it.
type authority struct {
	zone   string
	serial uint32
	// primary is the server that the zone's SOA names as its source (MNAME, RFC 1035). Where each
	// server takes changes itself, as Active Directory's do, each names itself.
	primary       string
	authoritative bool
}

// authorityOf finds the zone of a name. A server that tells none returns the zero value.
func (s dnsServer) authorityOf(ctx context.Context, name string) (authority, error) {
	for at := dns.CanonicalName(name); at != ""; {
		answer, err := s.ask(ctx, at, dns.TypeSOA)
		if err != nil {
			return authority{}, err
		}
		for _, record := range answer.Answer {
			if soa, is := record.(*dns.SOA); is && dns.CanonicalName(soa.Hdr.Name) == at {
				primary := strings.TrimSuffix(dns.CanonicalName(soa.Ns), ".")
				return authority{strings.TrimSuffix(at, "."), soa.Serial, primary, answer.Authoritative}, nil
			}
		}
		at = above(answer, at)
	}
	return authority{}, nil
}

// above returns the zone that an answer without the name's own SOA places it in, or else the
// next longer part of the name; "" at the end.
func above(answer *dns.Msg, name string) string {
	for _, record := range answer.Ns {
		zone := dns.CanonicalName(record.Header().Name)
		if record.Header().Rrtype == dns.TypeSOA && zone != name && zone != "." && dns.IsSubDomain(zone, name) {
			return zone
		}
	}
	_, parent, _ := strings.Cut(name, ".")
	return parent
}

// words says why a server gave no answer.
func words(err error) string {
	var late net.Error
	var refused refusal
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return "no answer in time"
	}
	return err.Error()
}
