package network

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/probe"
)

// doorLimit bounds one connection to the load balancer.
const doorLimit = 10 * time.Second

var _ = check.Subsection("2.2", func() {
	check.Item("2.2.1", func(ctx context.Context, a answers.Ingress) {
		check.Step("ask the cluster which addresses its load balancers have")
		found, err := findPublished(ctx, check.Cluster())
		if err != nil && kubeerr.ReasonOf(err) != kubeerr.MissingRight {
			check.NoError(err, "list the Services of type LoadBalancer")
		}
		check.Evidence("published by the cluster", found.words(err))
		check.Step("connect to %s", a.VIP)
		connection := probe.TCP(ctx, net.JoinHostPort(a.VIP, "443"), probe.ConnectOptions{Timeout: doorLimit})
		check.Evidence("port 443", outcome(connection))
		check.NoError(judgeVIP(a.VIP, connection, found), "connect to the load balancer")
		others := askOthers(ctx, a.OtherAddresses)
		if !found.has(a.VIP) {
			compareServers(ctx, a.VIP, found)
		}
		judgeRedirect(ctx, a)
		report(others...)
	})
})

// outcome says in a few words how a connection ended.
func outcome(c probe.Connection) string {
	if c.Trouble != nil {
		return c.Trouble.Error()
	}
	for _, step := range c.Steps {
		if step.Name == probe.StepTCP {
			return fmt.Sprintf("accepts connections (%.0f ms)", step.MS)
		}
	}
	return "accepts connections"
}

// judgeVIP holds the connection against what the cluster says of its load balancers. Silence is
// no failure here, not even where the cluster names another address: a load balancer outside the
// cluster may have this one, and a firewall keep the runner away, which 2.3.4.1 is about.
func judgeVIP(vip string, c probe.Connection, found published) error {
	expected := fmt.Sprintf("the load balancer at %s (ingress.vip) accepts connections on port 443", vip)
	if c.OK() {
		return nil
	}
	elsewhere := len(found.ingress()) > 0 && !found.has(vip)
	met := c.Trouble.Error()
	if elsewhere {
		met += "; the cluster's ingress is published at " + found.addresses()
	}
	switch {
	case elsewhere && (c.Trouble.Kind == probe.Refused || c.Trouble.Kind == probe.Reset):
		return finding.Failed(expected, met,
			"the answer names an address that is not the load balancer's, or no longer",
			"correct ingress.vip, and the DNS record that leads users there")
	case c.Trouble.Kind == probe.Refused:
		return finding.Failed(expected, c.Trouble.Error(),
			"the address is there, but nothing serves port 443 behind it: the ingress controller is not running, or the load balancer has no listener for the port",
			"see that the ingress controller's pods are ready and that its Service has port 443 and endpoints")
	case c.Trouble.Kind == probe.Reset:
		return finding.Failed(expected, c.Trouble.Error(), "the load balancer takes connections but has nowhere to send them",
			"see that the load balancer's backends are healthy")
	}
	why := "a firewall drops what the runner sends, or nothing has that address"
	switch {
	case elsewhere:
		why = "a firewall drops what the runner sends to a load balancer outside the cluster, or the answer names an address that is not the load balancer's, or no longer"
	case found.has(vip):
		why = "the cluster has published that address, so a firewall between the runner and it drops the connection, or nobody answers for it in the network"
	}
	return finding.NotDecided(expected, met, why, "see item 2.3.4.1, then run it again from where users are")
}

// compareServers tells, of an address that the cluster does not know, whether it leads to the
// same server as one that it does: a load balancer outside the cluster may stand before it.
// Nothing is failed here, because 2.2.3 proves the whole way with a request.
func compareServers(ctx context.Context, vip string, found published) {
	addresses := found.addressList()
	if len(addresses) == 0 {
		return
	}
	name := check.Answers().DNS.Domain
	if showSame(ctx, vip, addresses, func(ctx context.Context, address string) string { return shownAt(ctx, address, name) }) {
		check.Evidence("stands before", found.addresses()+": both show the same certificate")
		return
	}
	check.Warn(fmt.Sprintf("%s is not an address that the cluster has published; its ingress is at %s", vip, found.addresses()),
		"a load balancer outside the cluster stands before it, or the answer is another machine's",
		"make sure which it is: item 2.2.3 proves it with a request through "+vip)
}

// compareLimit bounds the look at all addresses.
const compareLimit = 15 * time.Second

// showSame tells whether one of the addresses shows what the load balancer does. All are asked
// at once: a cluster may have many gateways, and each that is silent costs its whole limit.
func showSame(ctx context.Context, vip string, addresses []string, shown func(ctx context.Context, address string) string) bool {
	ctx, cancel := context.WithTimeout(ctx, compareLimit)
	defer cancel()
	var here string
	there := make([]string, len(addresses))
	var looks sync.WaitGroup
	looks.Go(func() { here = shown(ctx, vip) })
	for i, address := range addresses {
		looks.Go(func() { there[i] = shown(ctx, address) })
	}
	looks.Wait()
	return here != "" && slices.Contains(there, here)
}

// shownAt returns the serial number of the certificate that a server shows for the name, "" for
// none.
func shownAt(ctx context.Context, address, name string) string {
	leaf, err := certificateAt(ctx, net.JoinHostPort(address, "443"), name)
	if err != nil {
		return ""
	}
	return leaf.Issuer.String() + " " + leaf.SerialNumber.String()
}

// words are the evidence.
func (p published) words(missing error) string {
	switch {
	case missing != nil:
		return "not known: " + kubeerr.FromAPI(missing, "").Why
	case len(p.ingress()) == 0:
		return "no LoadBalancer Service of an ingress controller: the load balancer is outside the cluster"
	}
	return p.addresses()
}

// addresses lists where the cluster's ingress is published: "Service ingress/traefik 10.0.0.1".
func (p published) addresses() string {
	var out []string
	for _, one := range p.ingress() {
		out = append(out, one.name+" "+strings.Join(one.addresses, ", "))
	}
	const most = 5
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("%d more", len(out)-most))
	}
	return strings.Join(out, "; ")
}
