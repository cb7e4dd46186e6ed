package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

// settle asks for the zone's serials again where they differ: a change may just be on its way
// from server to server, as it is all the time in a zone that its hosts update themselves.
func (q *inquiry) settle(ctx context.Context, wait time.Duration) {
	for range tries {
		q.introduce(ctx)
		if len(serialsDiffer(*q)) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		var all sync.WaitGroup
		for i := range q.servers {
			if v := &q.servers[i]; v.of.zone != "" {
				all.Go(func() {
					if now, err := newDNSServer(v.who).authorityOf(ctx, q.name); err == nil {
						v.of = now
					}
				})
			}
		}
		all.Wait()
	}
	q.introduce(ctx)
}

// introduce finds out of the servers with another primary and another serial than the rest
// whether each is its primary itself.
func (q *inquiry) introduce(ctx context.Context) {
	apart := rivals(q.serials())
	var all sync.WaitGroup
	for i := range q.servers {
		if v := &q.servers[i]; v.of.authoritative && slices.Contains(apart, v.of) {
			all.Go(func() { v.itself = isPrimary(ctx, v.who, v.of.primary) })
		}
	}
	all.Wait()
}

// isPrimary asks the answered server for the address of the primary that it names, and tells
// whether that is its own.
func isPrimary(ctx context.Context, answered, primary string) bool {
	server := newDNSServer(answered)
	host, _, _ := net.SplitHostPort(server.address)
	if strings.EqualFold(strings.TrimSuffix(host, "."), primary) {
		return true
	}
	own, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	named, _ := server.lookUp(ctx, primary)
	return slices.ContainsFunc(own, func(address netip.Addr) bool { return slices.Contains(named.addresses, address.Unmap()) })
}

// serials are the different states of the zone at the servers that have it themselves.
func (q inquiry) serials() []authority {
	var different []authority
	for _, v := range q.servers {
		if v.of.authoritative && !slices.Contains(different, v.of) {
			different = append(different, v.of)
		}
	}
	return different
}

// laggards are the states of which there is another with the same source: the servers copy the
// zone from one primary, and not all have its last change.
func laggards(states []authority) []authority {
	return paired(states, func(a, b authority) bool { return a.zone == b.zone && a.primary == b.primary && a.serial != b.serial })
}

// rivals are the states of a zone whose serials may count different things, as the servers name
// different primaries.
func rivals(states []authority) []authority {
	return paired(states, func(a, b authority) bool { return a.zone == b.zone && a.primary != b.primary && a.serial != b.serial })
}

// paired are the states that make a pair with another one.
func paired(states []authority, pair func(a, b authority) bool) []authority {
	return slices.DeleteFunc(slices.Clone(states), func(a authority) bool {
		return !slices.ContainsFunc(states, func(b authority) bool { return pair(a, b) })
	})
}

// serialsDiffer compares the zone at the servers that have it themselves. Serials under different
// primaries say nothing where each primary is an answered server that takes changes itself, as
// Active Directory's do. A primary that nobody is may be one of former times.
func serialsDiffer(q inquiry) []*finding.Finding {
	states := q.serials()
	if behind := laggards(states); len(behind) > 0 {
		return []*finding.Finding{finding.Failed("", q.counted(behind), "the last change of the zone has not been transferred to all servers",
			"see the zone transfers (NOTIFY, AXFR, IXFR), then run it again")}
	}
	apart := rivals(states)
	unknown := slices.DeleteFunc(slices.Clone(apart), func(s authority) bool {
		return slices.ContainsFunc(q.servers, func(v view) bool { return v.itself && v.of.zone == s.zone && v.of.primary == s.primary })
	})
	if len(unknown) == 0 {
		return nil
	}
	var names []string
	for _, s := range unknown {
		names = addOnce(names, s.primary)
	}
	return []*finding.Finding{finding.NotDecided("", q.counted(apart),
		"the servers name different primaries (SOA MNAME), and no answered server that names it is itself "+strings.Join(names, " or ")+
			": the primary may have been moved, and a server still have the zone from before; or each takes changes itself, as Active Directory's do, and is answered with another address than its name has",
		"see the zone transfers to the servers that name "+strings.Join(names, ", ")+"; where each takes changes itself, name in dns.servers each by the address that its name resolves to")}
}

// counted says which serial each of the servers with these states has, and whom it names as the
// zone's primary.
func (q inquiry) counted(states []authority) string {
	var said []string
	for _, v := range q.servers {
		if v.of.authoritative && slices.Contains(states, v.of) {
			said = append(said, fmt.Sprintf("%s has serial %d of zone %s and names %s", v.who, v.of.serial, v.of.zone, v.of.primary))
		}
	}
	return strings.Join(said, "; ")
}

// warnOfSerials says where the zone's serials could not be compared.
func warnOfSerials(q inquiry) {
	if w := uncompared(q); w != nil {
		check.Warn(w.Found, w.Why, w.Do)
	}
}

// uncompared is what the serials do not tell of servers that answer alike, nil for nothing.
func uncompared(q inquiry) *finding.Finding {
	states := q.serials()
	apart := rivals(states)
	cached := slices.ContainsFunc(q.servers, func(v view) bool { return v.err == nil && !v.of.authoritative })
	switch {
	case len(apart) > 0:
		return &finding.Finding{Found: q.counted(apart),
			Why: "each of these primaries (SOA MNAME) is an answered server that names itself: all of them take changes, as Active Directory's do, and count for themselves, so that their serials say nothing",
			Do:  "their records were compared; see the replication between them (Active Directory: repadmin /replsummary)"}
	case slices.ContainsFunc(states, func(s authority) bool { return s.zone != states[0].zone }):
		return &finding.Finding{Found: "the servers have the name in different zones", Why: "one of them holds a part of the domain as a zone of its own",
			Do: "see which zones the servers hold; the table names them"}
	case cached:
		return &finding.Finding{Found: "a server answers from its cache, or tells no serial", Why: "it is a resolver, not a server of the zone: it shows a change only when the TTL is over",
			Do: "name the zone's own servers in dns.servers"}
	}
	return nil
}
