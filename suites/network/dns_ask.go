package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
)

// repeats is how often a server that has answered is asked again.
const repeats = 4

// view is what one of those who were asked says of the name.
type view struct {
	// who is a server's address as answered, or whose resolver it is.
	who string
	records
	// err is why there is no answer.
	err error
	// unsteady are the answers, where the same question got several.
	unsteady []string
	// of is the zone of the name, and tcp why the server does not answer over TCP. Only servers
	// are asked for them.
	of  authority
	tcp error
	// itself is true where the primary that it names is the server itself. It is looked up where
	// serials differ.
	itself bool
	// anything is what a name that nobody made resolves to.
	anything []netip.Addr
}

// inquiry is who said what of a name.
type inquiry struct {
	name string
	// servers are the answered ones, in their order.
	servers []view
	// resolvers are the runner's, and a pod's where one was asked.
	resolvers []view
}

// ask asks everybody at the same time.
func ask(ctx context.Context, name string, servers []string) inquiry {
	asked := inquiry{name: name, servers: make([]view, len(servers)), resolvers: make([]view, 1)}
	// A name beside the domain that nobody can have made.
	_, parent, _ := strings.Cut(name, ".")
	beside := "conformance-" + utilrand.String(12) + "." + parent
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() { asked.servers[i] = askServer(ctx, server, name, beside) })
	}
	all.Go(func() { asked.resolvers[0] = askRunner(ctx, name) })
	all.Wait()
	return asked
}

// askServer asks one server all that is asked of servers. One that does not answer the first
// question is asked no other.
func askServer(ctx context.Context, answered, name, beside string) view {
	server := newDNSServer(answered)
	v := view{who: answered}
	if v.records, v.err = server.lookUp(ctx, name); v.err != nil {
		return v
	}
	v.repeat(ctx, server, name)
	if _, v.tcp = server.exchange(ctx, "tcp", name, dns.TypeA); v.tcp != nil && ctx.Err() == nil {
		_, v.tcp = server.exchange(ctx, "tcp", name, dns.TypeA)
	}
	// These two are extras: a server that does not tell them shows it in the table.
	v.of, _ = server.authorityOf(ctx, name)
	other, _ := server.follow(ctx, beside, dns.TypeA)
	v.anything = other.addresses
	return v
}

// repeat asks again: behind one address there may be several servers, of which one is stale.
func (v *view) repeat(ctx context.Context, server dnsServer, name string) {
	first := v.short()
	for range repeats {
		again, err := server.lookUp(ctx, name)
		var refused refusal
		if err != nil && !errors.As(err, &refused) {
			continue // no answer is not another answer
		}
		said := view{records: again, err: err}.short()
		if said != first && !slices.Contains(v.unsteady, said) {
			v.unsteady = append(v.unsteady, said)
		}
	}
	if len(v.unsteady) > 0 {
		v.unsteady = append([]string{first}, v.unsteady...)
	}
}

// askRunner resolves the name as every program on the runner's machine does, hosts file
// included.
func askRunner(ctx context.Context, name string) view {
	v := view{who: "the runner's resolver"}
	addresses, err := (&net.Resolver{PreferGo: true}).LookupNetIP(ctx, "ip", name)
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		v.denied = dns.RcodeToString[dns.RcodeNameError]
		return v
	}
	for _, address := range addresses {
		v.add(records{addresses: []netip.Addr{address.Unmap()}})
	}
	v.err = err
	return v
}

// table says in one line each who answered what.
func (q inquiry) table() []string {
	var lines []string
	for _, v := range slices.Concat(q.servers, q.resolvers) {
		lines = append(lines, v.who+": "+v.said())
	}
	return lines
}

// said is what one of them answered.
func (v view) said() string {
	if v.err != nil {
		return words(v.err)
	}
	parts := []string{v.short()}
	if len(v.aliases) > 0 {
		parts = append(parts, "by way of "+strings.Join(v.aliases, ", "))
	}
	if v.ttl > 0 {
		parts = append(parts, fmt.Sprintf("TTL %d s", v.ttl))
	}
	if v.of.zone != "" {
		parts = append(parts, fmt.Sprintf("serial %d of %s", v.of.serial, v.of.zone))
		if !v.of.authoritative {
			parts = append(parts, "from its cache")
		}
	}
	if v.tcp != nil {
		parts = append(parts, "over TCP "+words(v.tcp))
	}
	return strings.Join(parts, ", ")
}

// short is the addresses, or that there are none.
func (v view) short() string {
	switch {
	case v.err != nil:
		return words(v.err)
	case len(v.unsteady) > 0:
		return "asked again and again, in turn " + strings.Join(v.unsteady, " and ")
	case v.denied == dns.RcodeToString[dns.RcodeNameError]:
		return "no such name (NXDOMAIN)"
	case len(v.addresses) == 0:
		return "no address"
	}
	return list(v.addresses)
}

func list(addresses []netip.Addr) string {
	var texts []string
	for _, address := range addresses {
		texts = append(texts, address.String())
	}
	return strings.Join(texts, ", ")
}
