// Command coredns is the lab's cluster DNS server: CoreDNS with only the plugins that its
// Corefile names, so that it builds in a few minutes and carries no cloud client.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/template"
)

// directives is the order in which the plugins see a query: CoreDNS's own, shortened, but
// with template behind the plugins that know names, so that it can answer for the rest.
var directives = []string{
	"reload", "health", "ready", "prometheus", "errors", "loadbalance", "kubernetes", "forward", "template",
}

func main() {
	dnsserver.Directives = directives
	coremain.Run()
}
