package custom

import (
	"context"
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// proveTarget resolves the name or opens the connection, from where the check says.
func proveTarget(ctx context.Context, t answers.TargetCheck) error {
	if t.DNS != "" {
		return proveName(ctx, t)
	}
	authorities, err := readCA(t.CAFile)
	if err != nil {
		return err
	}
	command, target, connect := "tcp", t.TCP, probe.TCP
	if t.TLS != "" {
		command, target, connect = "tls", t.TLS, probe.TLS
	}
	options := probe.ConnectOptions{ServerName: t.ServerName, Timeout: connectTimeout}
	if t.TLS != "" {
		options.CAs = authorities
	}
	expected := fmt.Sprintf("%s answers over %s from %s", target, strings.ToUpper(command), origin(t.From))
	if t.ExpectRefused {
		expected = target + " cannot be reached from " + origin(t.From)
	}
	check.Step("connect to %s from %s", target, origin(t.From))
	var result probe.Connection
	if t.From == answers.FromPod {
		result, err = fromPod[probe.Connection](ctx, probeArgs(command, target, options), expected)
	} else {
		result = trusting(ctx, options, t.CAFile != "", func(ctx context.Context, o probe.ConnectOptions) probe.Connection {
			return connect(ctx, target, o)
		})
	}
	if err != nil {
		return err
	}
	check.Evidence("steps", steps(result))
	if result.Peer != "" {
		check.Evidence("peer", result.Peer)
	}
	if t.ExpectRefused {
		return judgeRefused(result, expected, t.From)
	}
	if !result.OK() {
		return broken(result, expected, t.From)
	}
	return nil
}

func origin(from answers.Origin) string {
	if from == answers.FromPod {
		return "a pod of the namespace"
	}
	return "the runner"
}

// judgeRefused returns nil if the way to the target is closed. A server that was reached but
// showed a bad certificate, or spoke no TLS, was reached. A name that does not resolve says
// nothing about the way: it may just be misspelt.
func judgeRefused(c probe.Connection, expected string, from answers.Origin) error {
	if c.Peer != "" {
		return finding.Failed(expected, "it was reached: "+steps(c), "the firewall, NetworkPolicy or rule that should forbid it does not", "close the way from "+origin(from))
	}
	switch c.Trouble.Kind {
	case probe.Refused, probe.Timeout, probe.NoRoute, probe.Reset, probe.Denied:
		check.Evidence("refused by", c.Trouble.Error())
		return nil
	case probe.NoSuchHost, probe.DNSFailure:
		return finding.NotDecided(expected, c.Trouble.Error(), "the name does not resolve, so that no connection was tried", "correct the name, or give an address; for a name that must not resolve use dns")
	}
	f := broken(c, expected, from)
	f.Undecided = true
	return f
}

// proveName resolves a name.
func proveName(ctx context.Context, t answers.TargetCheck) error {
	expected := fmt.Sprintf("%s resolves for %s", t.DNS, origin(t.From))
	if t.ExpectRefused {
		expected = fmt.Sprintf("%s does not resolve for %s", t.DNS, origin(t.From))
	}
	check.Step("resolve %s", t.DNS)
	var result probe.Resolution
	var err error
	if t.From == answers.FromPod {
		pod := probeArgs("dns", t.DNS, probe.ConnectOptions{Timeout: connectTimeout})
		result, err = fromPod[probe.Resolution](ctx, pod, expected)
	} else {
		result = probe.DNS(ctx, t.DNS, "")
	}
	if err != nil {
		return err
	}
	check.Evidence("addresses", result.Addresses)
	return judgeName(result, expected, t)
}

func judgeName(r probe.Resolution, expected string, t answers.TargetCheck) error {
	switch {
	case t.ExpectRefused && r.Trouble == nil:
		return finding.Failed(expected, "it resolves to "+strings.Join(r.Addresses, ", "), "the name was not removed, or another DNS is asked than was meant", "have it removed")
	case t.ExpectRefused && r.Trouble.Kind == probe.NoSuchHost:
		return nil
	case t.ExpectRefused:
		return finding.NotDecided(expected, r.Trouble.Error(), "the DNS did not answer, which says nothing about the name", "see whether the DNS runs")
	case r.Trouble != nil:
		return troubled(r.Trouble, expected, r.Trouble.Error(), t.From)
	}
	return nil
}
