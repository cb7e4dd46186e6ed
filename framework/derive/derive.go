// Package derive completes a run's results with what is computed and not measured:
// waivers, strictness, headings, and the items that follow from others. It reads no
// cluster.
package derive

import (
	"fmt"
	"strings"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/verdict"
)

// Options says how to complete a run.
type Options struct {
	Catalogue *checklist.Catalogue
	Answers   *answers.File
	// Selected holds the IDs that the run was asked for.
	Selected map[string]bool
	// Strict makes an unanswered item a failed one.
	Strict bool
	// Now is the date that waivers are held against.
	Now time.Time
}

// Complete returns the measured results after waivers and strictness, and the computed
// ones, each in the order of the checklist.
func (o Options) Complete(measured []verdict.Result) (settled, computed []verdict.Result) {
	byID := map[string]verdict.Result{}
	for _, r := range measured {
		r = o.Settle(r)
		settled = append(settled, r)
		if earlier, twice := byID[r.ID]; !twice || r.Verdict.Severity() > earlier.Verdict.Severity() {
			byID[r.ID] = r
		}
	}
	items := o.Catalogue.Items()
	add := func(item checklist.Item, r verdict.Result) {
		r.ID = item.ID
		if subsection, known := o.Catalogue.SubsectionOf(item.ID); known && r.Contact == "" {
			r.Contact = o.Answers.Contact(subsection.Key).String()
		}
		r = o.Settle(r)
		byID[item.ID] = r
		computed = append(computed, r)
	}
	for _, item := range items {
		if item.Kind == checklist.Group && o.Selected[item.ID] {
			add(item, combine(o.Catalogue.Children(item.ID), byID))
		}
	}
	for _, item := range items {
		if item.Kind == checklist.Derived && o.Selected[item.ID] {
			add(item, o.derived(item, byID))
		}
	}
	return settled, computed
}

// Settle applies waivers and strictness to one result.
func (o Options) Settle(r verdict.Result) verdict.Result {
	if r.Verdict == verdict.NotAnswered && o.Strict {
		r.Verdict = verdict.Failed
		r.Finding = finding.Failed("an answer", r.Reason, "--strict takes a missing answer for a failure", "fill in the answers file")
		r.Reason = ""
	}
	switch r.Verdict {
	case verdict.Failed, verdict.Undecided, verdict.NotAnswered:
	default:
		return r
	}
	for _, w := range o.Answers.Waivers {
		if w.ID != r.ID {
			continue
		}
		if w.Active(o.Now) {
			was := string(r.Verdict)
			r.Verdict = verdict.Waived
			r.Reason = fmt.Sprintf("%s, waived until %s by %s: %s", was, w.Expires, w.ApprovedBy, w.Reason)
		} else {
			r.Warnings = append(r.Warnings, finding.Finding{Found: fmt.Sprintf("the waiver of %s expired on %s", w.ApprovedBy, w.Expires),
				Why: "an expired waiver counts no more", Do: "mend the item, or have the waiver renewed"})
		}
	}
	return r
}

// derived computes one item that follows from others.
func (o Options) derived(item checklist.Item, byID map[string]verdict.Result) verdict.Result {
	switch item.ID {
	case "S.2":
		return o.contacts()
	case "S.3":
		return o.credentials()
	case "S.4":
		return combine(o.under(item, func(i checklist.Item) bool { return i.Kind == checklist.Attest || i.Written != "" }), byID)
	case "S.5":
		return o.ready(item, byID)
	}
	return combine(o.under(item, func(i checklist.Item) bool {
		return i.Kind == checklist.Probe || i.Kind == checklist.Attest || i.Kind == checklist.Derived
	}), byID)
}

// ready computes S.5. A waiver in force stands in nobody's way, but is said; one that has
// expired does, whatever became of its item.
func (o Options) ready(item checklist.Item, byID map[string]verdict.Result) verdict.Result {
	var expired []string
	for _, w := range o.Answers.Waivers {
		if !w.Active(o.Now) {
			expired = append(expired, fmt.Sprintf("%s (%s)", w.ID, w.Expires))
		}
	}
	if len(expired) > 0 {
		return verdict.Result{Verdict: verdict.Failed, Finding: finding.Failed("no waiver that has expired", "expired: "+strings.Join(expired, ", "),
			"what was to be mended by then was not, or nobody struck the waiver out", "mend the items and remove the waivers, or have them renewed")}
	}
	r := combine(o.under(item, func(i checklist.Item) bool {
		return i.Kind == checklist.Probe || i.Kind == checklist.Attest || i.Kind == checklist.Derived
	}), byID)
	if r.Verdict == verdict.Waived {
		r.Warnings = append(r.Warnings, finding.Finding{Found: "ready with what is waived: " + r.Reason})
		r.Verdict, r.Reason = verdict.Passed, ""
	}
	return r
}

// under lists the items that a derived item is computed from, itself and options left out.
func (o Options) under(item checklist.Item, wanted func(checklist.Item) bool) []checklist.Item {
	var out []checklist.Item
	for _, from := range item.From {
		for _, i := range o.Catalogue.Items() {
			if (i.Section == from || i.Subsection == from) && i.ID != item.ID && wanted(i) {
				out = append(out, i)
			}
		}
	}
	return out
}

// combine computes the worst of several items and names those that stand in the way. An
// item that was not part of the run leaves the combination undecided: what is not known
// is not met.
func combine(items []checklist.Item, byID map[string]verdict.Result) verdict.Result {
	worst := verdict.NotApplicable
	by := map[verdict.Verdict][]string{}
	var missing []string
	for _, item := range items {
		if item.Kind == checklist.Option {
			continue
		}
		r, present := byID[item.ID]
		if !present {
			missing = append(missing, item.ID)
			continue
		}
		worst = verdict.Worst(worst, r.Verdict)
		if !r.Verdict.Met() {
			by[r.Verdict] = append(by[r.Verdict], item.ID)
		}
	}
	if worst == verdict.Attested {
		worst = verdict.Passed
	}
	if len(missing) > 0 && worst != verdict.Failed {
		return verdict.Result{Verdict: verdict.Undecided, Finding: finding.NotDecided(
			"every item that this follows from, in one run", "not part of this run: "+list(missing), "--focus or --skip left them out", "run everything")}
	}
	if len(by) == 0 {
		return verdict.Result{Verdict: worst}
	}
	var parts []string
	for _, v := range []verdict.Verdict{verdict.Failed, verdict.Undecided, verdict.Unchecked, verdict.NotAnswered, verdict.Waived} {
		if len(by[v]) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s: %s", len(by[v]), v, list(by[v])))
		}
	}
	found := strings.Join(parts, "; ")
	r := verdict.Result{Verdict: worst, Reason: found}
	switch worst {
	case verdict.Failed:
		r.Reason, r.Finding = "", finding.Failed("all of them met", found, "", "see the items named")
	case verdict.Undecided:
		r.Reason, r.Finding = "", finding.NotDecided("all of them met", found, "", "see the items named")
	}
	return r
}

// list names at most a dozen IDs.
func list(ids []string) string {
	const most = 12
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
}
