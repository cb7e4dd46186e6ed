package cluster

import (
	"os"
	"slices"

	"aiv.internal/conformance/cmd/lab/faults"
)

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// finish says what to do with the lab.
func (l Lab) finish() error {
	l.Say.Say("the lab is up")
	if active := faults.Active(l.Dir); len(active) > 0 {
		l.Say.Print("\nPlanted faults: %v. `lab mend` mends them all.\n", active)
	}
	l.Say.Print(`
Next:
  runner --kubeconfig %s --answers %s
  %s status
  export KUBECONFIG=%s   # the administrator's
`, l.Dir.Kubeconfig(), l.Dir.Answers(), os.Args[0], l.Dir.AdminKubeconfig())
	return nil
}
