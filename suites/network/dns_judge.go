package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
)

// judgeName holds the name against the rules for names of hosts and the company's domain.
func judgeName(name, company string) error {
	expected := fmt.Sprintf("dns.domain is a name inside the company's domain %s", company)
	switch labels, valid := dns.IsDomainName(name); {
	case company == "":
		return finding.NotDecided("dns.domain is a name inside the company's domain", "the answers do not say which that is", "", "set runner.companyDomain")
	case !valid || len(name) > 253:
		return finding.Failed(expected, fmt.Sprintf("%q is none: a name has 253 characters at most, and 63 between two dots", name), "a slip of the pen", "correct dns.domain")
	case labels < 2:
		return finding.Failed(expected, fmt.Sprintf("%q has no dot", name), "browsers and certificates need the full name", "give the full name in dns.domain")
	case !dns.IsSubDomain(dns.CanonicalName(company), dns.CanonicalName(name)):
		return finding.Failed(expected, fmt.Sprintf("%s lies outside of it", name), "the name was assigned in another domain, or one of the two answers is wrong",
			"have a name inside the company's domain assigned, or correct dns.domain or runner.companyDomain")
	}
	return nil
}

// judgeResolves returns nil if one of the company's DNS servers has an address for the name.
// Where none of them answers, the runner's resolver may tell it.
func judgeResolves(q inquiry) error {
	expected := q.name + " resolves to an address"
	heard := answering(q.servers)
	if len(heard) == 0 {
		heard = answering(q.resolvers)
	}
	switch {
	case len(heard) == 0:
		return silence(expected, slices.Concat(q.servers, q.resolvers))
	case slices.ContainsFunc(heard, func(v view) bool { return len(v.addresses) > 0 }):
		return nil
	}
	return finding.Failed(expected, heard[0].who+" answers: "+heard[0].short(), "nobody has made the record, or it was made in another zone",
		"make an A record for it at the company's DNS; see 2.1.2")
}

// silence is the finding where nobody told anything.
func silence(expected string, all []view) error {
	var said []string
	for _, v := range all {
		said = append(said, v.who+": "+words(v.err))
	}
	found := strings.Join(said, "; ")
	if slices.ContainsFunc(all, func(v view) bool { return failure(v.err) }) {
		return finding.Failed(expected, found, "the DNS server cannot read the zone, or cannot reach the server that has it", "see the DNS server's log")
	}
	return finding.NotDecided(expected, found, "the runner's network lets no DNS through to these servers, they serve other clients only, or all of them are down",
		"let the runner reach port 53 (UDP and TCP) of the servers, or run it where that is so; correct dns.servers if these are not the company's")
}

// failure tells a server's own failure from a way that is closed to the runner.
func failure(err error) bool {
	var refused refusal
	return errors.As(err, &refused) && refused.code == dns.RcodeServerFailure
}

// judgeRecord holds what each server answers against the addresses of the load balancer. A
// server that does not answer is 2.1.3's to judge, as long as another one does.
func judgeRecord(q inquiry, vip string, others ...string) error {
	expected := fmt.Sprintf("%s resolves to %s (ingress.vip), and to nothing else", q.name, vip)
	if len(others) > 0 {
		expected += fmt.Sprintf(" but %s (ingress.otherAddresses)", strings.Join(others, ", "))
	}
	if _, err := netip.ParseAddr(vip); err != nil {
		return finding.NotDecided("an address to compare with", fmt.Sprintf("%q is none", vip), "", "correct ingress.vip")
	}
	asked := q.servers
	if len(asked) == 0 {
		asked = q.resolvers
	}
	judged := answering(asked)
	if len(judged) == 0 {
		return silence(expected, asked)
	}
	var wrong []string
	missing := false
	for _, v := range judged {
		if len(v.unsteady) > 0 || !leads(v.addresses, vip, others) {
			wrong = append(wrong, v.who+" answers: "+v.short())
			missing = missing || len(v.addresses) == 0
		}
	}
	switch {
	case len(wrong) == 0:
		return nil
	case missing:
		return finding.Failed(expected, strings.Join(wrong, "; "), "the record was not made, or has not reached this server", "make an A record "+q.name+" → "+vip+", or see why the zone is not transferred to the server")
	}
	return finding.Failed(expected, strings.Join(wrong, "; "), "the record still has an earlier address, or one that it shares with another service; or ingress.vip is wrong",
		"correct the record of "+q.name+" at these servers, or ingress.vip; further addresses of the same load balancer, such as its IPv6 one, belong into ingress.otherAddresses")
}

// judgePropagation returns nil if all who were asked answer alike.
func judgePropagation(q inquiry, vip string, others ...string) error {
	expected := fmt.Sprintf("all DNS servers, the runner and the pods resolve %s alike, and the servers have the zone with the same serial", q.name)
	if len(q.servers) == 0 {
		return finding.NotDecided(expected, "no DNS server is answered", "the list is empty", "name the company's DNS servers in dns.servers")
	}
	heard := answering(q.servers)
	if len(heard) == 0 {
		return silence(expected, q.servers)
	}
	right := reference(heard, vip, others)
	if len(right.addresses) == 0 {
		return finding.Failed(expected, right.who+" answers: "+right.short(), "the record was not made", "see 2.1.2")
	}
	different := slices.Concat(serversDiffer(q.servers, right), serialsDiffer(q), resolversDiffer(q.resolvers, right, func(v view) bool {
		// Either family may be kept from those that cannot use it.
		return slices.Equal(v.addresses, right.addresses) || leads(v.addresses, vip, others) && leads(right.addresses, vip, others)
	}))
	if f := merge(different); f != nil {
		f.Expected = expected
		return f
	}
	return nil
}

// answering are those who either have the name or deny it.
func answering(asked []view) []view {
	return slices.DeleteFunc(slices.Clone(asked), func(v view) bool { return v.err != nil })
}

// reference is the answer that the others are held against: the one with the load balancer's
// addresses, if a server has them, or else the first with any.
func reference(heard []view, vip string, others []string) view {
	for _, v := range heard {
		if leads(v.addresses, vip, others) {
			return v
		}
	}
	if i := slices.IndexFunc(heard, func(v view) bool { return len(v.addresses) > 0 }); i > 0 {
		return heard[i]
	}
	return heard[0]
}

func serversDiffer(servers []view, right view) []*finding.Finding {
	var different []*finding.Finding
	for _, v := range servers {
		switch {
		case v.err != nil && failure(v.err):
			different = append(different, finding.Failed("", v.who+": "+words(v.err), "this server cannot read the zone, or cannot reach the server that has it", "see the log of "+v.who))
		case v.err != nil:
			// Others answer, so it is not the runner's network.
			different = append(different, finding.Failed("", v.who+": "+words(v.err), "this server is down, or a firewall keeps the runner from it alone, or it serves other clients only",
				"see whether "+v.who+" runs and answers on port 53, or correct dns.servers"))
		case len(v.unsteady) > 0:
			different = append(different, finding.Failed("", v.who+" answers: "+v.short(), "several servers answer at this address, or it answers by turns, and not all of them have the same zone",
				"have the owners of "+v.who+" compare the servers behind it"))
		case !slices.Equal(v.addresses, right.addresses):
			different = append(different, finding.Failed("", fmt.Sprintf("%s answers: %s; %s answers: %s", v.who, v.said(), right.who, right.said()),
				"a change has not reached this server: its zone is not transferred, or its cache still holds the old record", "see the zone transfer to "+v.who+", or wait until the TTL is over"))
		}
	}
	return different
}

func resolversDiffer(resolvers []view, right view, alike func(view) bool) []*finding.Finding {
	var different []*finding.Finding
	for i, v := range resolvers {
		isRunner := i == 0
		switch {
		case v.err != nil && isRunner: // its own trouble, not the domain's
			different = append(different, finding.NotDecided("", v.who+": "+words(v.err), "the DNS server of the runner's machine does not answer", "see /etc/resolv.conf of the runner's machine, or run it elsewhere"))
		case v.err != nil:
			different = append(different, finding.Failed("", v.who+": "+words(v.err), "the cluster's DNS is down or cannot reach the company's servers, or a network policy keeps pods from it",
				"see the cluster's DNS (CoreDNS) and its log, and the namespace's network policies"))
		case alike(v):
		case isRunner:
			different = append(different, finding.Failed("", fmt.Sprintf("%s answers: %s; %s answers: %s", v.who, v.short(), right.who, right.short()),
				"the runner's machine asks another DNS server, or its hosts file holds the name", "see /etc/resolv.conf and /etc/hosts of the runner's machine"))
		default:
			different = append(different, finding.Failed("", fmt.Sprintf("%s answers: %s; %s answers: %s", v.who, v.short(), right.who, right.short()),
				"the cluster's DNS does not forward the company's domain to these servers, holds the name itself, or is told something else than the rest of the company (split DNS)",
				"have the cluster's DNS (CoreDNS: forward, hosts, rewrite) ask the company's servers for the domain, and these tell pods the same"))
		}
	}
	return different
}

// warnOfWildcard says where the name may resolve only because every name does.
func warnOfWildcard(q inquiry) {
	for _, v := range q.servers {
		if len(v.anything) > 0 && slices.Equal(v.anything, v.addresses) {
			check.Warn(fmt.Sprintf("%s answers a name that nobody made in the same way: %s", v.who, list(v.anything)),
				"a wildcard record answers for every name, so that the domain may have no record of its own", "see whether "+q.name+" has one")
		}
	}
}

// warnOfTCP names the servers that answer over UDP alone.
func warnOfTCP(q inquiry) {
	for _, v := range q.servers {
		if v.tcp != nil {
			check.Warn(fmt.Sprintf("%s does not answer over TCP: %s", v.who, words(v.tcp)),
				"a firewall lets only UDP through to port 53: answers that do not fit into a datagram are lost (RFC 7766)", "open TCP port 53 to "+v.who)
		}
	}
}
