package gpu

import (
	"fmt"
	"strings"
)

// most names in one message.
const most = 10

func names(all []string) string {
	return namesOf(all, len(all))
}

// namesOf is names for a list of which only the first are known.
func namesOf(known []string, total int) string {
	shown := known[:min(len(known), most)]
	if total == len(shown) {
		return strings.Join(shown, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), total-len(shown))
}

// onNodes words a list of nodes: "node a", "nodes a, b".
func onNodes(all []string) string {
	if len(all) == 1 {
		return "node " + all[0]
	}
	return "nodes " + names(all)
}

// size renders bytes as people write them: 80 GiB.
func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return strings.Replace(fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)), ".0 ", " ", 1)
	case bytes >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", bytes)
}
