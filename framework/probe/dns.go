package probe

import (
	"context"
	"net"
	"slices"
	"time"
)

// Resolution is what a name resolves to.
type Resolution struct {
	Name string `json:"name"`
	// Server is the DNS server that was asked; empty for the system's resolver.
	Server    string   `json:"server,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	// Canonical is the name at the end of the CNAMEs.
	Canonical string  `json:"canonical,omitempty"`
	MS        float64 `json:"ms"`
	// Trouble is why there are no addresses.
	Trouble *Trouble `json:"trouble,omitempty"`
}

// DNS resolves name to addresses, sorted. server is an address with or without port, empty
// for the system's resolver.
func DNS(ctx context.Context, name, server string) Resolution {
	ctx, cancel := context.WithTimeout(ctx, defaultConnectTime)
	defer cancel()
	result := Resolution{Name: name, Server: server}
	started := time.Now()
	addresses, err := lookup(ctx, name, server)
	result.MS = milliseconds(time.Since(started))
	if err != nil {
		result.Trouble = networkTrouble(err)
		return result
	}
	const most = 32 // a result has little room
	result.Addresses = addresses[:min(len(addresses), most)]
	result.Canonical, _ = resolver(server).LookupCNAME(ctx, name)
	return result
}

func lookup(ctx context.Context, name, server string) ([]string, error) {
	addresses, err := resolver(server).LookupHost(ctx, name)
	if err != nil {
		return nil, err
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), nil
}

// resolver returns Go's own resolver, asking server if it is not empty.
func resolver(server string) *net.Resolver {
	if server == "" {
		return &net.Resolver{PreferGo: true}
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
}
