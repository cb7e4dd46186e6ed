package network

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// wayName is a destination as reports call it.
func wayName(d probe.Destination) string {
	if d.Proxy == "" {
		return d.Target
	}
	return d.Target + " through " + d.Proxy
}

// inTheClear tells whether the proxy itself speaks for the destination: then its errors look
// like the destination's.
func inTheClear(d probe.Destination) bool {
	return d.Proxy != "" && strings.HasPrefix(d.Target, "http://")
}

// led tells whether the way led to the destination. One that is ill was reached all the same.
func led(w probe.Way, d probe.Destination) bool {
	return w.OK() || w.Broke == probe.StepHTTP && w.Kind == probe.BadStatus && !inTheClear(d)
}

// wayText renders how far a way led: "DNS 1.2 ms, TCP 0.4 ms, TLS: timeout after 5000 ms".
func wayText(w probe.Way) string {
	var out []string
	for i, step := range probe.WaySteps() {
		took := ""
		if i < len(w.MS) && w.MS[i] >= 0 {
			took = fmt.Sprintf("%g ms", w.MS[i])
		}
		switch {
		case step == w.Broke:
			if took != "" {
				took = " after " + took
			}
			out = append(out, step+": "+w.Kind+took)
		case took != "":
			out = append(out, step+" "+took)
		}
	}
	if w.Status != 0 {
		out = append(out, fmt.Sprintf("status %d", w.Status))
	}
	if w.Peer != "" {
		out = append(out, "at "+w.Peer)
	}
	if len(out) == 0 {
		return "reached"
	}
	return strings.Join(out, ", ")
}

// endpoint is what a firewall knows of a target: host:port.
func endpoint(target string) string {
	address, err := url.Parse(target)
	if err != nil || address.Host == "" {
		return target
	}
	if address.Port() != "" {
		return address.Host
	}
	return address.Host + ":" + map[string]string{"http": "80", "https": "443"}[address.Scheme]
}

func hostOf(target string) string {
	host, _, err := net.SplitHostPort(endpoint(target))
	if err != nil {
		return target
	}
	return host
}

// merge makes one finding of several: of the failures, or where there are none, of those that
// decide nothing. Nil for none.
func merge(all []*finding.Finding) *finding.Finding {
	all = slices.DeleteFunc(all, func(f *finding.Finding) bool { return f == nil })
	if failed := slices.DeleteFunc(slices.Clone(all), func(f *finding.Finding) bool { return f.Undecided }); len(failed) > 0 {
		all = failed
	}
	if len(all) == 0 {
		return nil
	}
	var expected, found, why, do []string
	for _, f := range all {
		expected, found = addOnce(expected, f.Expected), addOnce(found, f.Found)
		why, do = addOnce(why, f.Why), addOnce(do, f.Do)
	}
	merged := finding.Failed(strings.Join(expected, "; "), strings.Join(found, "\n"), strings.Join(why, "; "), strings.Join(do, "; "))
	merged.Undecided = all[0].Undecided
	return merged
}

func addOnce(texts []string, text string) []string {
	if text == "" || slices.Contains(texts, text) {
		return texts
	}
	return append(texts, text)
}
