package network

import (
	"context"
	"fmt"

	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/throwaway"
)

var _ = check.Subsection("2.3", func() {
	check.Chain("network policies at work", func() {
		var p *policies
		ready := check.Prepare(policyAnswer(), func(ctx context.Context, kit *throwaway.Kit, a answers.NetworkPolicies) (err error) {
			p, err = provePolicies(ctx, kit, a)
			return err
		})

		check.Item("2.3.1", func(ctx context.Context, a answers.NetworkPolicies) {
			ready()
			describeIsolation(p.isolation)
			if *a.Required {
				check.NoError(p.isolation.judge(), "prove that policies are enforced")
				return
			}
			check.NoError(p.isolation.judgeOpen(), "prove that traffic flows")
		})

		check.Item("N.1.6", func(ctx context.Context, a answers.NetworkPolicies) {
			if !*a.Required {
				check.NotApplicable("networkPolicies.required is no")
			}
			ready()
			check.Evidence("name looked up", dnsName)
			check.Evidence("exception", exceptionWords)
			check.NoError(p.exception.judge(), "prove that DNS works under a closed egress")
			check.Evidence("seconds until the exception worked", seconds(p.exception.opened))
		})

		check.Item("2.3.3", func(ctx context.Context, a answers.NetworkPolicies) {
			if len(sourcesOf(a.Inward)) == 0 {
				check.Require("networkPolicies.ingress.allowed", "networkPolicies.ingress.forbidden")
				check.NoError(judgeNoSources(a.Required), "see who reaches the hub")
				check.OnlyWritten("networkPolicies.required is no, and networkPolicies.ingress names no source")
				return
			}
			ready()
			check.Evidence("labels of the hub", sortedPairs(a.Hub()))
			check.NoError(hindered(p.target.err), "run a pod with the hub's labels")
			for _, s := range p.sources {
				if s.story != nil {
					check.Evidence(s.title(), s.words())
				}
			}
			check.NoError(judgeSources(p.sources, a.Hub(), p.selecting), "see who reaches the hub")
		})
	})
})

// policyAnswer is the item whose answer the chain cannot do without: that of 2.3.3 alone will do
// where 2.3.1 is not answered.
func policyAnswer() string {
	if check.Answers().NetworkPolicies.Required == nil {
		return "2.3.3"
	}
	return "2.3.1"
}

// policies is what the chain's pods found.
type policies struct {
	// isolation is the proof of 2.3.1, exception that of N.1.6.
	isolation isolation
	exception exception
	// target is the pod with the hub's labels, sources are those that try to reach it, selecting
	// the names of the policies that concern it.
	target    member
	sources   []*source
	selecting []string
}

// plan is what of it is wanted: the items that are selected and answered.
func plan(a answers.NetworkPolicies) (isolated, excepted bool, sources []*source) {
	if a.Required != nil {
		isolated = check.Wanted("2.3.1")
		excepted = ptr.Deref(a.Required, false) && check.Wanted("N.1.6")
	}
	if check.Wanted("2.3.3") {
		sources = sourcesOf(a.Inward)
	}
	return isolated, excepted, sources
}

func describeIsolation(i isolation) {
	if i.from != "" {
		check.Evidence("nodes", fmt.Sprintf("from %s to %s", i.from, i.to))
	}
	if i.denied > 0 {
		check.Evidence("seconds until denied", seconds(i.denied))
		check.Evidence("denied by", i.kinds())
	}
	if i.allowed > 0 {
		check.Evidence("seconds until allowed again", seconds(i.allowed))
	}
}
