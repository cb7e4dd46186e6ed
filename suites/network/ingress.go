package network

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
	"aiv.internal/conformance/framework/throwaway"
)

var _ = check.Subsection("2.2", func() {
	check.Chain("a pod behind the ingress controller", func() {
		var e *entrance
		var idle *idleTest
		ready := check.Prepare("2.2.3", func(ctx context.Context, kit *throwaway.Kit, a answers.Ingress) (err error) {
			domain := check.Answers().DNS.Domain
			if a.VIP == "" {
				return finding.NotDecided("a load balancer to ask", "none is answered", "", "set ingress.vip in the answers file")
			}
			if domain == "" {
				domain = "conformance.invalid" // the host need not resolve
			}
			if e, err = openEntrance(ctx, kit, a, domain); err != nil {
				return err
			}
			if check.Wanted("N.1.1") && e.missing == nil && e.unserved == nil {
				// At once, and beside all other items: this is what the run waits for.
				idle = e.startIdle(ctx, idleTime(a))
			}
			return nil
		})
		// through ends an item that needs the way to the pod as undecided where 2.2.3 has none.
		through := func() {
			ready()
			check.NoError(finding.SeeItem(e.missing, "2.2.3"), "reach a pod through the ingress controller")
			check.NoError(finding.SeeItem(e.unserved, "2.2.3"), "reach a pod through the ingress controller")
		}

		check.Item("2.2.4", func(ctx context.Context, a answers.Ingress) {
			through()
			proveTermination(ctx, e, a)
		})

		check.Item("N.1.2", func(ctx context.Context, _ answers.Ingress) {
			through()
			proveBodies(ctx, e.visitor)
		})

		check.Item("2.2.3", func(ctx context.Context, a answers.Ingress) {
			ready()
			check.NoError(e.missing, "lead a host to a pod")
			describeWay(e)
			check.NoError(e.unserved, "reach a pod through the ingress controller")
			if e.published != nil {
				provePublished(ctx, e, a)
			}
		})

		// Last, since it waits for the end of what began first.
		check.Item("N.1.1", func(ctx context.Context, _ answers.Ingress) {
			through()
			check.NoError(idle.result(ctx), "keep a WebSocket open")
		}, ginkgo.NodeTimeout(idleTime(check.Answers().Ingress)+time.Minute))
	})
})

// describeWay records what was seen on the way to the pod.
func describeWay(e *entrance) {
	if e.class != nil {
		check.Evidence("controller", e.class.Spec.Controller)
	}
	check.Evidence("host", e.host)
	if len(e.leftOut) > 0 {
		check.Evidence("annotations left out", e.leftOut)
	}
	if len(e.first.chain) > 0 {
		check.Evidence("certificate", certificateLine(e.first.chain[0]))
	}
	if e.first.echo.Token == "" {
		return
	}
	check.Evidence("answered by the pod in a row", inARow)
	check.Evidence("protocol", e.first.protocol)
	check.Evidence("headers at the pod", forwarded(e.first.echo.Headers))
	check.Evidence("the pod was asked by", e.first.echo.Peer)
}

// forwarded are the headers that a proxy adds.
func forwarded(headers http.Header) []string {
	var lines []string
	for name, values := range headers {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	return lines
}

func certificateLine(c *x509.Certificate) string {
	return fmt.Sprintf("%s for %s, issued by %s", c.Subject, strings.Join(c.DNSNames, ", "), c.Issuer)
}

// provePublished holds the address in the Ingress's status against the answered one: tools
// that make DNS records take it from there.
func provePublished(ctx context.Context, e *entrance, a answers.Ingress) {
	var got statusAddresses
	select {
	case got = <-e.published:
		check.NoError(got.err, "read the Ingress's status")
	case <-ctx.Done():
		check.NoError(ctx.Err(), "read the Ingress's status")
	}
	check.Evidence("address in the Ingress's status", got.all)
	if len(got.all) == 0 {
		check.Warn("the ingress controller writes no address into the Ingress's status",
			"it is not told which Service or address publishes it", "set its published service or status address; what makes DNS records of Ingresses needs it")
		return
	}
	f := judgePublished(ctx, got.all, a)
	if f == nil {
		return
	}
	if a.TLSTermination == answers.AtLoadBalancer {
		// The address before the load balancer in front is not the ingress controller's to know.
		check.Warn(f.Found, f.Why, f.Do)
		return
	}
	ours, others := e.askAt(ctx, got.all)
	switch {
	case ours:
		check.Warn(f.Found, "the pod answers there too, so "+a.VIP+" may be a load balancer outside the cluster that stands before it",
			"make sure that what makes DNS records of Ingresses gives users "+a.VIP)
	case len(others) > 0:
		f.Found += ", where the pod does not answer: " + strings.Join(others[:min(len(others), mostShown)], "; ")
		check.NoError(f, "")
	case ctx.Err() != nil:
		check.NoError(ctx.Err(), "ask at the addresses in the Ingress's status")
	default:
		check.Warn(f.Found+", where nobody answers this runner",
			a.VIP+" may be a load balancer outside the cluster that stands before addresses which are closed to this runner; or the controller's published service or status address is wrong",
			"make sure that what makes DNS records of Ingresses gives users "+a.VIP)
	}
}

// mostAsked is at how many of the published addresses the pod is asked for, and mostShown how many
// of those who answer in its place are shown: an ingress controller on every node may publish all
// of theirs.
const mostAsked, mostShown = 20, 3

// askAt asks for the pod at these addresses, at all of them at once. It says whether the pod
// answers at one of them, and who else answers where; of silence it says nothing, since a firewall
// may keep only this runner from an address.
func (e *entrance) askAt(ctx context.Context, addresses []string) (ours bool, others []string) {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	type answer struct {
		visit
		from string
	}
	_, port, _ := net.SplitHostPort(e.address)
	addresses = addresses[:min(len(addresses), mostAsked)]
	came := make(chan answer, len(addresses))
	for _, address := range addresses {
		there := e.visitor
		there.address = net.JoinHostPort(address, port)
		go func() { came <- answer{there.visit(ctx, "/"), address} }()
	}
	for range addresses {
		one := <-came
		switch {
		case one.echo.Token == e.token:
			return true, nil
		case one.err == nil:
			others = append(others, one.from+" answers "+answerLine(one.visit))
		case strings.Contains(one.err.Error(), "remote error: tls"), outbound.TroubleOf(one.err) == outbound.NoTLS:
			others = append(others, fmt.Sprintf("%s answers: %v", one.from, one.err))
		}
	}
	slices.Sort(others)
	return false, others
}

// judgePublished finds that none of the published addresses leads to the VIP, or to another
// answered address of the load balancer.
func judgePublished(ctx context.Context, published []string, a answers.Ingress) *finding.Finding {
	isOurs := func(address string) bool {
		ip := net.ParseIP(address)
		return ip != nil && slices.ContainsFunc(append([]string{a.VIP}, a.OtherAddresses...), func(own string) bool { return ip.Equal(net.ParseIP(own)) })
	}
	for _, address := range published {
		known := []string{address}
		if net.ParseIP(address) == nil {
			known, _ = net.DefaultResolver.LookupHost(ctx, address)
		}
		if slices.ContainsFunc(known, isOurs) {
			return nil
		}
	}
	return finding.Failed("the ingress controller publishes "+a.VIP+" (ingress.vip) in the Ingress's status", "it publishes "+strings.Join(published, ", "),
		"the host is answered at the VIP, but the controller believes to be reached elsewhere: its published service or status address is another one, or another controller wrote the status",
		"correct the controller's published service or status address, or ingress.vip")
}
