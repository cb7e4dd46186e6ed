// Package faults holds the lab's planted defects. A check is proved by the fault that it
// finds: each fault says which checklist items must notice it and in which words. Some are no
// defects but trials of patience, and say which items must be met all the same. Breaking and
// mending are idempotent.
package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"aiv.internal/conformance/cmd/lab/state"
)

// Fault is one planted defect.
type Fault struct {
	// Name is what `lab break` takes.
	Name string `json:"name"`
	// Description says what is broken, in one sentence.
	Description string `json:"description"`
	// Failed are the checklist items that must fail.
	Failed []string `json:"failed,omitempty"`
	// Undecided are the checklist items that must end undecided.
	Undecided []string `json:"undecided,omitempty"`
	// Borne are the checklist items that must be met all the same.
	Borne []string `json:"borne,omitempty"`
	// May are items that may end undecided as well, because they need the same thing.
	May []string `json:"may,omitempty"`
	// MayFail are items that may even fail as well, because the defect or the time that it
	// takes shows in them too.
	MayFail []string `json:"mayFail,omitempty"`
	// Words must all appear, in any case, in the message of each item in Failed and
	// Undecided.
	Words []string `json:"words,omitempty"`
	// Answers is true where the defect is in the answers file or the kubeconfig and not in
	// the cluster.
	Answers bool `json:"answers,omitempty"`
	// Full is true where the defect is of the ingress controller, or of what is answered about
	// it: a core lab has none, so that nobody would notice.
	Full bool `json:"full,omitempty"`

	// Break plants the defect; nil where the marker file alone does it, because a server of
	// the lab looks for it. What Mend needs it hands to keep, which writes it into the marker
	// file, before it changes anything.
	Break func(ctx context.Context, lab *Lab, keep func([]byte) error) error `json:"-"`
	// Mend undoes it, given what was kept; nil where removing the marker does. It must also
	// succeed where Break stopped half way, and may then find nothing kept.
	Mend func(ctx context.Context, lab *Lab, kept []byte) error `json:"-"`
}

// undoDeadline is for mending a fault that could not be planted.
const undoDeadline = time.Minute

// Table is every fault of the lab, by part.
func Table() []Fault {
	return slices.Concat(clusterFaults(), gpuFaults(), dnsFaults(), ingressFaults(), trafficFaults(), policyFaults(), firewallFaults(),
		certificateFaults(), entraFaults(), registryFaults(), storageFaults(), ownFaults())
}

// Names are the names of all faults.
func Names() []string {
	var names []string
	for _, fault := range Table() {
		names = append(names, fault.Name)
	}
	return names
}

// Active are the names of the faults that are planted now.
func Active(dir state.Dir) []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return !dir.FaultActive(name) })
}

// Find returns the fault of that name. The error names all there are.
func Find(name string) (Fault, error) {
	for _, fault := range Table() {
		if fault.Name == name {
			return fault, nil
		}
	}
	return Fault{}, fmt.Errorf("no fault is called %q: there are %s", name, strings.Join(Names(), ", "))
}

// Break plants the fault. One that is planted already is left as it is.
func Break(ctx context.Context, lab *Lab, fault Fault) error {
	marker := lab.Dir.Fault(fault.Name)
	if lab.Dir.FaultActive(fault.Name) {
		return nil
	}
	if fault.Full && !lab.Dir.Full() {
		return fmt.Errorf("break %s: it needs the full lab: lab up --full", fault.Name)
	}
	keep := func(content []byte) error { return os.WriteFile(marker, content, 0o600) }
	// The marker comes first, so that a break that is interrupted can be mended.
	if err := keep(nil); err != nil {
		return err
	}
	if fault.Break == nil {
		return nil
	}
	if err := fault.Break(ctx, lab, keep); err != nil {
		// Half a fault is worse than none, and ctx may be what ended it.
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoDeadline)
		defer cancel()
		return errors.Join(fmt.Errorf("break %s: %w", fault.Name, err), Mend(undo, lab, fault))
	}
	return nil
}

// Mend undoes the fault. One that is not planted is left alone.
func Mend(ctx context.Context, lab *Lab, fault Fault) error {
	marker := lab.Dir.Fault(fault.Name)
	kept, err := os.ReadFile(marker)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fault.Mend != nil {
		if err := fault.Mend(ctx, lab, kept); err != nil {
			return fmt.Errorf("mend %s: %w", fault.Name, err)
		}
	}
	return os.Remove(marker)
}
