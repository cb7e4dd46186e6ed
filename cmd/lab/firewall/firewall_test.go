package firewall

import (
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	const (
		outside  = "ip daddr 10.64.0.1 tcp dport 8449 drop"
		metadata = "ip daddr 169.254.0.0/16 drop"
		redirect = "ip daddr 169.254.169.254 tcp dport 80 dnat to 10.64.0.1:8169"
	)
	for _, c := range []struct {
		fault        string
		has, hasNone []string
	}{
		{"", []string{outside, metadata}, []string{"dnat", "reject", "dport 5000"}},
		{FaultRegistryDropped, []string{outside, "tcp dport 5000 drop"}, []string{"reject"}},
		{FaultRegistryRefused, []string{outside, "tcp dport 5000 reject with tcp reset"}, nil},
		{FaultIdentityDropped, []string{"tcp dport 8443 drop"}, nil},
		{FaultGitLabDropped, []string{"tcp dport 8929 drop"}, nil},
		{FaultStorageRefused, []string{"tcp dport 7480 reject"}, nil},
		{FaultForbiddenOpen, []string{metadata}, []string{outside}},
		{FaultMetadataOpen, []string{outside, metadata, redirect}, nil},
	} {
		t.Run(c.fault, func(t *testing.T) {
			text := rules(func(fault string) bool { return fault == c.fault })
			for _, rule := range append(c.has, "table ip company-firewall\ndelete table ip company-firewall\n", "ip saddr != 10.65.0.0/16 accept") {
				if !strings.Contains(text, rule) {
					t.Errorf("%q is missing in\n%s", rule, text)
				}
			}
			for _, rule := range c.hasNone {
				if strings.Contains(text, rule) {
					t.Errorf("%q is in\n%s", rule, text)
				}
			}
		})
	}
}
