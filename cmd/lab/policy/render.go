package policy

import (
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/knftables"
)

// forward is the chain that every packet from or to a pod passes.
const forward = "forward"

// render makes the table anew, in one transaction: no packet sees half of it.
func render(tables knftables.Interface, guards []guard) *knftables.Transaction {
	tx := tables.NewTransaction()
	tx.Add(&knftables.Table{}) // a table that is not there cannot be deleted
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{Comment: ptr.To("NetworkPolicies, by the lab's agent")})
	tx.Add(&knftables.Chain{Name: forward, Type: ptr.To(knftables.FilterType), Hook: ptr.To(knftables.ForwardHook),
		Priority: ptr.To(knftables.FilterPriority)})
	// A policy is about who may begin.
	tx.Add(&knftables.Rule{Chain: forward, Rule: "ct state established,related accept"})
	for _, g := range guards {
		field := "ip daddr"
		if g.direction == networkingv1.PolicyTypeEgress {
			field = "ip saddr"
		}
		chain := strings.ToLower(string(g.direction)) + "-" + g.address
		tx.Add(&knftables.Chain{Name: chain})
		for _, drop := range g.drops {
			tx.Add(&knftables.Rule{Chain: chain, Rule: drop + " drop"})
		}
		for _, match := range g.matches {
			tx.Add(&knftables.Rule{Chain: chain, Rule: strings.TrimSpace(match + " return")})
		}
		tx.Add(&knftables.Rule{Chain: chain, Rule: "counter drop", Comment: ptr.To(shortened(g.pod))})
		// To return from the chain is to pass, in this direction.
		tx.Add(&knftables.Rule{Chain: forward, Rule: field + " " + g.address + " jump " + chain})
	}
	return tx
}

// shortened cuts a pod's name to what a comment can hold.
func shortened(name string) string {
	return name[:min(len(name), knftables.CommentLengthMax)]
}
