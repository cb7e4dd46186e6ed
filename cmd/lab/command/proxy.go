package command

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"aiv.internal/conformance/cmd/lab/topology"
)

// own are the lab's networks and names: no proxy of a company knows them.
var own = []string{
	topology.Underlay, topology.PodCIDR, topology.ServiceCIDR,
	"." + topology.Domain, "." + topology.ClusterDomain, "127.0.0.1", "localhost",
}

// bypassProxies lets this process and all that it starts reach the lab directly, whatever
// proxies the environment names for the rest. Programs read the one or the other variable.
func bypassProxies() error {
	upper, lower := os.Getenv("NO_PROXY"), os.Getenv("no_proxy")
	return errors.Join(
		os.Setenv("NO_PROXY", withOwn(cmp.Or(upper, lower))),
		os.Setenv("no_proxy", withOwn(cmp.Or(lower, upper))),
	)
}

// withOwn appends the lab's own to the list, as far as they are not in it.
func withOwn(list string) string {
	entries := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	for _, entry := range own {
		if !slices.Contains(entries, entry) {
			entries = append(entries, entry)
		}
	}
	return strings.Join(entries, ",")
}
