package network

import (
	"fmt"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// judgeBroken explains a way that did not lead to its destination; its caller says what was
// expected. here is how far the runner came to it: it tells a service that is down from a way
// that is closed. lacking are CA files that could not be used.
func judgeBroken(d probe.Destination, w, here probe.Way, lacking string) *finding.Finding {
	found := wayName(d) + ": " + wayText(w)
	if w.Message != "" {
		found += " (" + w.Message + ")"
	}
	reachedHere := led(here, d)
	if reachedHere {
		found += "; the runner reaches it"
	} else {
		found += fmt.Sprintf("; from the runner, %s breaks: %s", here.Broke, here.Kind)
	}
	why, do := brokenWhy(d, w, here, reachedHere)
	if w.Kind == probe.BadCert && lacking != "" {
		found += "; CA files of no use: " + lacking
	}
	if w.Issuer != "" {
		found += "; the certificate was issued by " + w.Issuer
	}
	f := finding.Failed("", found, why, do)
	f.Undecided = w.Kind == probe.Stopped
	return f
}

// brokenWhy says what most likely is in the way, and what to do about it.
func brokenWhy(d probe.Destination, w, here probe.Way, reachedHere bool) (why, do string) {
	where := endpoint(d.Target)
	const open = "have the firewall opened from the pods' network to these addresses and ports, and see the NetworkPolicies for egress that select the hub's pods"
	if d.Proxy != "" && w.Broke != probe.StepTLS && w.Broke != probe.StepHTTP {
		if w.Broke == probe.StepProxy {
			return "the proxy " + d.Proxy + " refuses to go there for a pod",
				"have the proxy allow " + where + ", or name it in runner.proxies.no if pods reach it without a proxy"
		}
		return "pods cannot reach the proxy " + d.Proxy,
			"have the way from the pods' network to the proxy opened, or name the target in runner.proxies.no if pods reach it without a proxy"
	}
	sameHere := !reachedHere && here.Broke == w.Broke && here.Kind == w.Kind
	const down = "ask the service's owners whether it runs; once the runner reaches it, run this again"
	switch w.Kind {
	case probe.Timeout, probe.NoRoute, probe.Refused:
		switch {
		case w.Broke == probe.StepDNS:
			return "the cluster's DNS does not answer, or waits in vain for the company's DNS servers", "see whether CoreDNS runs and reaches the company's DNS servers (section 2.1)"
		case sameHere && w.Kind == probe.Refused:
			return "nothing listens there, for the runner either: the service is down, or the port is wrong", down
		case sameHere:
			return "it does not answer the runner either: the service is down, or the way is closed for both", down
		case w.Kind == probe.Refused:
			return "a firewall or NetworkPolicy rejects what pods send", open
		case w.Kind == probe.NoRoute:
			return "the pods' network has no route to it, or a firewall says so", open
		}
		return "a firewall or NetworkPolicy drops what pods send", open
	case probe.NoSuchHost, probe.DNSFailure:
		if reachedHere || here.Broke != probe.StepDNS {
			return "the cluster's DNS does not know the name, which the runner's knows",
				"have the cluster's DNS (CoreDNS) forward the domain to the company's DNS servers, and the name added there"
		}
		return "the DNS does not know the name", "correct the name in the answers file, or have it added to the DNS"
	case probe.BadCert:
		return "it is signed by a CA that neither the answered CA files nor the system's hold, for another name, or out of date; or a firewall that reads TLS re-signs it",
			"set the caFile of the section, or certificates.caFile, to the CA that signs it, or have the certificate renewed; JupyterHub's pods need the same CA"
	case probe.NotTLS:
		return "the port does not speak TLS", "correct the address in the answers file"
	case probe.Reset, probe.BadAnswer:
		return "a firewall or proxy on the way closes what it does not like, or the port speaks another protocol", open
	case probe.BadStatus:
		return "the proxy answers in the destination's place", "have the proxy allow " + where
	}
	return "something unusual is in the way", open
}
