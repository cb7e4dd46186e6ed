package gpu

import (
	"fmt"
	"strings"

	"aiv.internal/conformance/framework/finding"
)

// mostGroups of nodes with different findings are told in one.
const mostGroups = 4

// told is what was found on one node.
type told struct {
	node    string
	finding *finding.Finding
}

// merge makes one finding of those of many nodes: nodes with the same one are named together.
// Failures come before what is undecided, which a failure does not hide; nil if there is none.
func merge(expected string, all []told) *finding.Finding {
	var failed, undecided []told
	for _, t := range all {
		if t.finding.Undecided {
			undecided = append(undecided, t)
		} else {
			failed = append(failed, t)
		}
	}
	ordered := append(failed, undecided...)
	if len(ordered) == 0 {
		return nil
	}
	var texts []string
	nodes := map[string][]string{}
	for _, t := range ordered {
		if _, known := nodes[t.finding.Found]; !known {
			texts = append(texts, t.finding.Found)
		}
		nodes[t.finding.Found] = append(nodes[t.finding.Found], t.node)
	}
	var parts []string
	for _, text := range texts[:min(len(texts), mostGroups)] {
		parts = append(parts, onNodes(nodes[text])+": "+text)
	}
	if more := len(texts) - mostGroups; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d other findings", more))
	}
	first := ordered[0].finding
	f := finding.Failed(expected, strings.Join(parts, "\n"), first.Why, first.Do).Because(first.Unwrap())
	f.Undecided = len(failed) == 0
	return f
}
