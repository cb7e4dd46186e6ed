package network

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// judgeForbidden returns nil if a way was closed as it must be. Where byDNS is true, the name
// does not resolve: that may be the refusal, or a slip of the pen.
func judgeForbidden(d probe.Destination, w probe.Way) (f *finding.Finding, byDNS bool) {
	expected := "a pod with the hub's labels is kept from " + wayName(d)
	where := endpoint(d.Target)
	undecided := func(why, do string) (*finding.Finding, bool) {
		return finding.NotDecided(expected, fmt.Sprintf("%s: %s %s", wayName(d), wayText(w), w.Message), why, do), false
	}
	// A firewall that looks at names lets the connection begin, and ends it when it has seen one.
	cut := w.Kind == probe.Reset || w.Kind == probe.Timeout
	switch {
	case w.Kind == probe.Stopped:
		return undecided("the run was stopped", "run it again")
	case d.Proxy != "" && (w.Broke == probe.StepDNS || w.Broke == probe.StepTCP):
		return undecided("pods cannot reach the proxy, so that it was not asked", "see whether the proxy "+d.Proxy+" runs, and is open to pods")
	case w.Broke == probe.StepProxy && w.Kind == probe.BadStatus:
		return nil, false
	case inTheClear(d) && slices.Contains([]int{http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusUnavailableForLegalReasons,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, w.Status):
		return nil, false
	case w.Broke == probe.StepHTTP && cut && strings.HasPrefix(d.Target, "https://"):
		// The destination itself, or who can sign in its name, had let the pod in by then.
		return undecided("TLS was completed with a trusted certificate, then the answer did not come: the destination is slow, or a firewall that re-signs TLS cut it",
			"try it by hand from a pod")
	case w.Connected() && !w.OK() && cut:
		return nil, false
	case w.Connected():
		return finding.Failed(expected, wayName(d)+" was reached: "+wayText(w), "the firewall, proxy or NetworkPolicy that should forbid it does not",
			"close the way from the pods' network to "+where+"; if what answered is the firewall's own page, say so to its owners: it should refuse the connection"), false
	case w.Broke == probe.StepDNS && w.Kind == probe.NoSuchHost:
		return nil, true
	case w.Broke == probe.StepDNS:
		return undecided("the cluster's DNS did not answer, so that no connection was tried", "see whether CoreDNS runs and reaches the company's DNS servers")
	case slices.Contains([]string{probe.Refused, probe.Timeout, probe.NoRoute, probe.Reset, probe.Denied}, w.Kind):
		return nil, false
	}
	return undecided("something unusual was in the way", "try the connection by hand, from a pod")
}

// hiddenByDNS judges a forbidden name that does not resolve for pods. Where the runner's DNS
// knows it, the cluster's keeps it from pods; where nobody knows it, it may be a slip.
func hiddenByDNS(ctx context.Context, d probe.Destination) *finding.Finding {
	ctx, cancel := context.WithTimeout(ctx, secondLook)
	defer cancel()
	host := hostOf(d.Target)
	if here := probe.DNS(ctx, host, ""); here.Trouble == nil {
		check.Warn(fmt.Sprintf("%s does not resolve for pods (for the runner it is %s)", host, strings.Join(here.Addresses, ", ")),
			"a pod that knows the address is not kept from it by DNS", "answer an address as forbidden as well, as host:port")
		return nil
	}
	return finding.NotDecided("a pod with the hub's labels is kept from "+wayName(d), host+" does not resolve, neither for pods nor for the runner",
		"no connection could be tried: it is a slip of the pen, or neither DNS knows names outside the company", "correct networkPolicies.egress.forbidden, or answer an address with its port")
}

// judgeMetadata says whether a user's pod came to the metadata address.
func judgeMetadata(w probe.Way) *finding.Finding {
	expected := "a user's pod is kept from the metadata address " + hostOf(metadata.Target)
	switch {
	case w.Kind == probe.Stopped:
		return finding.NotDecided(expected, "the probe was stopped", "the run was stopped", "run it again")
	case w.Connected():
		return finding.Failed(expected, hostOf(metadata.Target)+" was reached from a pod with the labels of a user's: "+wayText(w),
			"nothing closes it, no firewall and no NetworkPolicy: in a cloud, every notebook can get the machine's credentials there",
			"forbid egress to "+hostOf(metadata.Target)+"/32 for pods with component=singleuser-server; the chart does so with singleuser.networkPolicy and a network that enforces it")
	case slices.Contains([]string{probe.Refused, probe.Timeout, probe.NoRoute, probe.Reset, probe.Denied}, w.Kind):
		return nil
	}
	return finding.NotDecided(expected, w.Kind+": "+w.Message, "something unusual was in the way", "try the connection by hand, from a pod")
}
