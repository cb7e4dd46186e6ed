package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// leads tells whether a name's addresses are the load balancer's: the VIP is one of them, and
// all others are answered as its own too.
func leads(addresses []netip.Addr, vip string, others []string) bool {
	isVIP := func(address netip.Addr) bool { return sameAddress(address.String(), vip) }
	strange := func(address netip.Addr) bool {
		return !isVIP(address) && !slices.ContainsFunc(others, func(other string) bool { return sameAddress(address.String(), other) })
	}
	return slices.ContainsFunc(addresses, isVIP) && !slices.ContainsFunc(addresses, strange)
}

// askOthers connects to the load balancer's further addresses, all at the same time: users come
// by any that the name resolves to.
func askOthers(ctx context.Context, others []string) []*finding.Finding {
	connections := make([]probe.Connection, len(others))
	var all sync.WaitGroup
	for i, address := range others {
		all.Go(func() {
			connections[i] = probe.TCP(ctx, net.JoinHostPort(address, "443"), probe.ConnectOptions{Timeout: doorLimit})
		})
	}
	all.Wait()
	var findings []*finding.Finding
	for i, address := range others {
		check.Evidence("port 443 of "+address, outcome(connections[i]))
		findings = append(findings, judgeOther(address, connections[i]))
	}
	return findings
}

// judgeOther holds the connection to a further address against what it must be. As with the VIP,
// silence is no failure.
func judgeOther(address string, c probe.Connection) *finding.Finding {
	if c.OK() {
		return nil
	}
	expected := fmt.Sprintf("the load balancer accepts connections on port 443 of %s (ingress.otherAddresses) too", address)
	found := address + ": " + c.Trouble.Error()
	switch c.Trouble.Kind {
	case probe.Stopped:
		return finding.NotDecided(expected, found, "the run was stopped", "run it again")
	case probe.Refused, probe.Reset:
		return finding.Failed(expected, found,
			"the load balancer has no listener at this address or nowhere to send connections, or the address is another machine's: users whose browser takes it get no page",
			"have the load balancer serve port 443 there, or take the address out of the name's DNS record and of ingress.otherAddresses")
	case probe.Timeout:
		return finding.NotDecided(expected, found, "a firewall drops what the runner sends, or nothing has that address",
			"see item 2.3.4.1, then run it again from where users are")
	}
	return finding.NotDecided(expected, found, "the runner's machine has no route to this address: where it is an IPv6 one, the machine may have no IPv6",
		"run it again from where users reach this address")
}
