package network

import (
	"strings"
	"testing"

	"aiv.internal/conformance/framework/probe"
)

const (
	six     = "fd00::20"
	second  = "10.0.0.101"
	strange = "10.0.0.9"
)

// others are written as people write them.
var others = []string{"FD00:0::20", second}

// A name may have all addresses that are answered as the load balancer's, and must have the VIP.
func TestRecordOfSeveralAddresses(t *testing.T) {
	for _, test := range []struct {
		what              string
		addresses, others []string
		want              string
	}{
		{"the VIP alone", []string{vip}, others, ""},
		{"both families", []string{vip, six}, others, ""},
		{"all", []string{vip, six, second}, others, ""},
		{"both families, not answered", []string{vip, six}, nil, "belong into ingress.otherAddresses"},
		{"without the VIP", []string{six}, others, six},
		{"a strange one too", []string{vip, six, strange}, others, strange},
	} {
		q := inquiry{name: name, servers: []view{told("10.0.0.53", test.addresses...)}}
		expect(t, test.what, judgeRecord(q, vip, test.others...), test.want)
	}
}

// Servers must have the same record. Of the load balancer's addresses, a resolver may leave out
// all but the VIP.
func TestPropagationOfSeveralAddresses(t *testing.T) {
	for _, test := range []struct {
		what        string
		second, pod []string
		others      []string
		want        string
	}{
		{"alike", []string{vip, six}, []string{vip, six}, others, ""},
		{"pods are told no IPv6 address", []string{vip, six}, []string{vip}, others, ""},
		{"pods are told no IPv6 address, and it is not answered", []string{vip, six}, []string{vip}, nil, "split DNS"},
		{"pods are not told the VIP", []string{vip, six}, []string{six}, others, "split DNS"},
		{"pods are told a strange one", []string{vip, six}, []string{vip, strange}, others, "split DNS"},
		{"a server lacks one", []string{vip}, []string{vip}, others, "zone is not transferred"},
	} {
		q := inquiry{name: name, servers: []view{told("10.0.0.53", vip, six), told("10.0.0.54", test.second...)},
			resolvers: []view{told("the runner's resolver", vip, six), told("the resolver of a pod", test.pod...)}}
		expect(t, test.what, judgePropagation(q, vip, test.others...), test.want)
	}
}

func TestJudgeOther(t *testing.T) {
	for want, connections := range map[string][]probe.Connection{
		"":          {{}},
		"failed":    {troubled(probe.Refused), troubled(probe.Reset)},
		"undecided": {troubled(probe.Timeout), troubled(probe.NoRoute), troubled(probe.Other), troubled(probe.Stopped)},
	} {
		for _, c := range connections {
			var err error
			if f := judgeOther(six, c); f != nil {
				err = f
			}
			var words []string
			if want != "" {
				words = []string{six, "ingress.otherAddresses"}
			}
			expectFinding(t, err, want, words...)
		}
	}
	if f := judgeOther(six, troubled(probe.NoRoute)); !strings.Contains(f.Why, "no route") {
		t.Errorf("the runner's own network is not told from a firewall: %v", f)
	}
}
