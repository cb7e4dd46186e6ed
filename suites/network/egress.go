package network

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

// What the hub's pods reach, and what names resolve to there, is asked once, by one pod, for all
// items: a pod costs more than its questions.
var _ = check.Subsection("2", func() {
	check.Chain("what pods reach outside", func() {
		var o *outward
		// Not bound to an item: each has answers of its own.
		ready := check.Prepare("2", func(ctx context.Context, kit *throwaway.Kit, _ answers.NetworkPolicies) error {
			o = askOutward(ctx, kit, check.Answers())
			return nil
		})
		reach := func(ctx context.Context, item string) {
			ready()
			check.NoError(o.err, "run the pod that asks")
			report(o.reached(ctx, destinations(item, check.Answers()))...)
		}

		check.Item("2.1.3", func(ctx context.Context, a answers.DNS) {
			propagated(ctx, a, o.resolver(), func() {
				ready()
				check.NoError(o.err, "run the pod that asks")
			})
		})
		check.Item("2.3.2", func(ctx context.Context, a answers.NetworkPolicies) {
			all := destinations("2.3.2", check.Answers())
			if len(all) == 0 {
				check.Require("networkPolicies.egress.allowed", "networkPolicies.egress.forbidden")
				check.OnlyWritten("networkPolicies.egress says that no destination must be reached or refused")
				return
			}
			ready()
			check.NoError(o.err, "run the pod that asks")
			allowed := slices.DeleteFunc(slices.Clone(all), func(d probe.Destination) bool { return d.Forbidden })
			report(append(o.reached(ctx, allowed), o.refused(ctx, a.Egress.Forbidden)...)...)
		})
		check.Item("2.3.4.2", func(ctx context.Context, _ answers.Entra) { reach(ctx, "2.3.4.2") })
		check.Item("2.3.4.3", func(ctx context.Context, _ answers.StorageClass) {
			if len(destinations("2.3.4.3", check.Answers())) == 0 {
				check.NotApplicable("networkPolicies.firewall.storage says that there is none")
			}
			reach(ctx, "2.3.4.3")
		})
		check.Item("2.3.4.4", func(ctx context.Context, _ answers.GitLab) { reach(ctx, "2.3.4.4") })
		check.Item("2.3.4.5", func(ctx context.Context, _ answers.Registry) { reach(ctx, "2.3.4.5") })

		check.Item("N.1.5", func(ctx context.Context, _ answers.Readiness) {
			ready()
			check.NoError(o.userErr, "run the pod that asks")
			check.Evidence("asked by", "a throwaway pod with the labels of a user's on "+o.userNode)
			check.Evidence(metadata.Target, wayText(o.user))
			report(judgeMetadata(o.user))
		})
	})
})

// metadata is where clouds tell whoever asks in a machine the machine's credentials. Nobody
// goes there through a proxy.
var metadata = probe.Destination{Target: "http://169.254.169.254/", Forbidden: true}

// The public endpoints, for what the answers leave out.
const (
	publicLogin = "https://login.microsoftonline.com"
	publicGraph = "https://graph.microsoft.com"
)

// destinations are those that an item asks the hub's pod for, each once, with the proxies that
// pods are to use.
func destinations(item string, a *answers.File) []probe.Destination {
	var targets []string
	switch policies := a.NetworkPolicies; item {
	case "2.3.2":
		targets = policies.Egress.Allowed
	case "2.3.4.2":
		targets = append(slices.Clone(policies.Firewall.Identity), orElse(a.Entra.LoginURL, publicLogin), orElse(a.Entra.GraphURL, publicGraph))
	case "2.3.4.3":
		targets = slices.Clone(policies.Firewall.Storage)
		if endpoint := a.StorageClass.S3.Endpoint; endpoint != "" {
			targets = append(targets, endpoint)
		}
	case "2.3.4.4":
		if a.GitLab.URL != "" {
			targets = []string{a.GitLab.URL}
		}
	case "2.3.4.5":
		if a.Registry.URL != "" {
			targets = []string{"https://" + a.Registry.URL + "/v2/"}
		}
	}
	var all []probe.Destination
	add := func(d probe.Destination) {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	for _, target := range targets {
		add(probe.Destination{Target: asked(target), Proxy: proxyOfPods(target, a.Runner.Proxies)})
	}
	if item == "2.3.2" {
		for _, target := range a.NetworkPolicies.Egress.Forbidden {
			for _, way := range forbiddenWays(target, a.Runner.Proxies) {
				add(way)
			}
		}
	}
	return all
}

// forbiddenWays are the ways on which a pod could come to what it must not reach: the straight
// one, which it takes by ignoring a proxy, and that through the proxy.
func forbiddenWays(target string, proxies answers.Proxies) []probe.Destination {
	ways := []probe.Destination{{Target: asked(target), Forbidden: true}}
	if proxy := proxyOfPods(target, proxies); proxy != "" {
		ways = append(ways, probe.Destination{Target: asked(target), Proxy: proxy, Forbidden: true})
	}
	return ways
}

// asked is a target as it is asked for, so that one that is answered with and without the slash
// behind its host is asked once.
func asked(target string) string {
	if address, err := url.Parse(target); err == nil && address.Path == "/" && address.RawQuery == "" {
		return strings.TrimSuffix(target, "/")
	}
	return target
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// reached returns a finding for each destination that the hub's pod did not come to, after
// recording how far it came to all.
func (o *outward) reached(ctx context.Context, all []probe.Destination) []*finding.Finding {
	o.describe()
	var broken []probe.Destination
	var simulated []string
	for _, d := range all {
		w := o.way(d)
		check.Evidence(wayName(d), wayText(w))
		if w.Simulated {
			simulated = append(simulated, d.Target)
		}
		if !led(w, d) {
			broken = append(broken, d)
		} else if w.Status >= http.StatusInternalServerError {
			check.Warn(fmt.Sprintf("%s answers with status %d", d.Target, w.Status), "the way is open, but the service is not well", "tell the service's owners")
		}
	}
	if len(simulated) > 0 {
		check.Evidence("simulated", "these only stand for real services: "+strings.Join(simulated, ", "))
	}
	if len(broken) == 0 {
		return nil
	}
	check.Step("try from the runner what the pod could not reach")
	here := o.fromRunner(ctx, broken)
	var findings []*finding.Finding
	var names []string
	for _, d := range broken {
		names = append(names, wayName(d))
		findings = append(findings, judgeBroken(d, o.way(d), here[d], o.trust.note()))
	}
	for _, f := range findings {
		f.Expected = "a pod with the hub's labels reaches " + strings.Join(names, ", ")
	}
	return findings
}

// refused returns a finding for each forbidden target that was not refused on every way.
func (o *outward) refused(ctx context.Context, targets []string) []*finding.Finding {
	var findings []*finding.Finding
	for _, target := range targets {
		for _, d := range forbiddenWays(target, check.Answers().Runner.Proxies) {
			w := o.way(d)
			check.Evidence("forbidden: "+wayName(d), wayText(w))
			f, byDNS := judgeForbidden(d, w)
			if byDNS {
				f = hiddenByDNS(ctx, d)
			}
			findings = append(findings, f)
		}
	}
	return findings
}

// report ends the check with one finding for all, if there are any.
func report(all ...*finding.Finding) {
	if f := merge(all); f != nil {
		check.NoError(f, "")
	}
}
