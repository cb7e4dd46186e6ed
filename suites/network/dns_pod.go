package network

import (
	"errors"
	"net/netip"

	"github.com/miekg/dns"

	"aiv.internal/conformance/framework/probe"
)

// podView is what the pod's resolver said.
func podView(result probe.Resolution, node string) view {
	v := view{who: "the resolver of a pod on node " + node}
	switch {
	case result.Trouble == nil:
	case result.Trouble.Kind == probe.NoSuchHost:
		v.denied = dns.RcodeToString[dns.RcodeNameError]
	default:
		v.err = errors.New(result.Trouble.Error())
	}
	for _, text := range result.Addresses {
		if address, err := netip.ParseAddr(text); err == nil {
			v.add(records{addresses: []netip.Addr{address.Unmap()}})
		}
	}
	return v
}
