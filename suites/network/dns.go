package network

import (
	"context"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

const (
	// askLimit bounds the questions to all DNS servers.
	askLimit = 60 * time.Second
	// settleWait is how long a change may take from one server to the next until they are
	// asked again.
	settleWait = time.Second
)

var _ = check.Subsection("2.1", func() {
	check.Item("2.1.1", func(ctx context.Context, a answers.DNS) {
		check.NoError(judgeName(a.Domain, check.Answers().Runner.CompanyDomain), "read the answers")
		asked := survey(ctx, a)
		record(asked)
		check.NoError(judgeResolves(asked), "resolve the domain")
	})
	check.Item("2.1.2", func(ctx context.Context, a answers.DNS) {
		if len(a.Servers) == 0 {
			check.Warn("only the runner's own resolver was asked", "the answers name no DNS server", "set dns.servers")
		}
		asked := survey(ctx, a)
		record(asked)
		warnOfWildcard(asked)
		balancer := check.Answers().Ingress
		check.NoError(judgeRecord(asked, balancer.VIP, balancer.OtherAddresses...), "resolve the domain")
	})
	// 2.1.3 asks a pod too, which has more to ask: see egress.go.
})

// propagated ends the check where those that were asked differ, the pod's resolver included if
// it was asked. missing ends the check where it was not.
func propagated(ctx context.Context, a answers.DNS, pod view, missing func()) {
	asked := survey(ctx, a)
	if pod.who != "" {
		asked.resolvers = append(asked.resolvers, pod)
	}
	asked.settle(ctx, settleWait)
	record(asked)
	warnOfTCP(asked)
	balancer := check.Answers().Ingress
	check.NoError(judgePropagation(asked, balancer.VIP, balancer.OtherAddresses...), "compare what the domain resolves to")
	missing() // without a pod, the others may still have differed
	warnOfSerials(asked)
}

// survey asks the answered servers and the runner's resolver.
func survey(ctx context.Context, a answers.DNS) inquiry {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	check.Step("ask %d DNS servers and the runner's resolver for %s", len(a.Servers), a.Domain)
	return ask(ctx, a.Domain, a.Servers)
}

// record notes in one table who answered what.
func record(asked inquiry) { check.Evidence("who answers what", asked.table()) }
