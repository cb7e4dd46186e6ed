package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/verdict"
)

// record is what the running check has said so far. A worker runs one check at a time;
// its goroutines may speak at the same time.
type record struct {
	mu       sync.Mutex
	item     checklist.Item
	place    string
	started  time.Time
	verdict  verdict.Verdict
	reason   string
	finding  *finding.Finding
	hint     finding.Finding
	warnings []finding.Finding
	evidence []verdict.Evidence
	step     string
	optional bool
}

var current = &record{}

// begin opens the record of an item.
func begin(item checklist.Item, place string) {
	current = &record{item: item, place: place, started: time.Now()}
	session.sender.Send(started(item.ID))
}

func (r *record) edit(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// Evidence records a measured value, whatever the verdict will be. Values are redacted,
// but should not be secrets to begin with.
func Evidence(key string, value any) {
	r := current
	r.edit(func() { r.evidence = append(r.evidence, verdict.Evidence{Key: key, Value: redactValue(value)}) })
}

// Warn records something that needs somebody's eye without failing the item.
func Warn(found, why, do string) {
	r := current
	r.edit(func() { r.warnings = append(r.warnings, finding.Finding{Found: found, Why: why, Do: do}) })
}

// Optional makes the running check one that need not be met: whatever stands in its way is
// waived, and said.
func Optional() {
	current.edit(func() { current.optional = true })
}

// Hint says why the assertions that follow would fail, and what to do then. The latest
// hint counts.
func Hint(why, do string) {
	r := current
	r.edit(func() { r.hint = finding.Finding{Why: why, Do: do} })
}

// Step names what the check is doing, so that a time-out can say where it stood.
func Step(format string, args ...any) {
	r := current
	text := session.redactor.String(fmt.Sprintf(format, args...))
	r.edit(func() { r.step = text })
	fmt.Fprintf(ginkgo.GinkgoWriter, "%s %s\n", time.Now().Format("15:04:05.000"), text)
}

// Fail ends the check: the requirement is not met.
func Fail(expected, found, why, do string) {
	end(finding.Failed(expected, found, why, do), 1)
}

// Undecided ends the check: something outside the requirement kept it from deciding.
func Undecided(expected, found, why, do string) {
	end(finding.NotDecided(expected, found, why, do), 1)
}

// NotApplicable ends the check: the answers rule the item out.
func NotApplicable(reason string) {
	current.edit(func() { current.verdict, current.reason = verdict.NotApplicable, reason })
	ginkgo.Skip(reason, 1)
}

// OnlyWritten says that the answers leave nothing to measure: the item rests on its written
// part alone, and with that in order it is attested, not passed. The check then returns, so that
// the written part is asked for; NotApplicable would spare it.
func OnlyWritten(reason string) {
	Evidence("measured", "nothing: "+reason)
	current.edit(func() { current.verdict = verdict.Attested })
}

func notAnswered(reason string, skip int) {
	current.edit(func() { current.verdict, current.reason = verdict.NotAnswered, reason })
	ginkgo.Skip(reason, skip)
}

func unchecked(reason string) {
	current.edit(func() { current.verdict, current.reason = verdict.Unchecked, reason })
	ginkgo.Skip(reason, 2)
}

// NoError ends the check if err is not nil. A Finding is reported as it is; an error of
// the Kubernetes API is explained; doing says what was attempted ("list the nodes").
func NoError(err error, doing string) {
	if err == nil {
		return
	}
	if f := finding.As(err); f != nil {
		end(f, 1)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		end(finding.NotDecided(doing+" in time", err.Error(), "the check ran out of time or was interrupted",
			"run it again alone with --focus="+current.item.ID).Because(err), 1)
	}
	end(kubeerr.FromAPI(err, doing), 1)
}

func end(f *finding.Finding, skip int) {
	f = redactFinding(*f)
	current.edit(func() { current.finding = f })
	ginkgo.Fail(f.Error(), skip+1)
}

// failedAssertion is Gomega's way out: its message becomes the finding, with the latest
// hint beside it.
func failedAssertion(message string, skip ...int) {
	offset := 1
	if len(skip) > 0 {
		offset += skip[0]
	}
	// Ginkgo prints what it is given.
	message = session.redactor.String(message)
	current.edit(func() {
		if current.finding == nil {
			current.finding = finding.Failed("", strings.TrimSpace(message), current.hint.Why, current.hint.Do)
		}
	})
	ginkgo.Fail(message, offset)
}

// result turns what the check said and how Ginkgo saw it end into the item's result.
func (r *record) result(spec types.SpecReport) verdict.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := verdict.Result{
		ID:       r.item.ID,
		Seconds:  spec.RunTime.Seconds(),
		Started:  r.started,
		Warnings: r.warnings,
		Evidence: r.evidence,
		Contact:  contactLine(r.item),
		File:     strings.SplitN(r.place, ":", 2)[0],
	}
	switch {
	case spec.State.Is(types.SpecStatePassed):
		out.Verdict = verdict.Passed
		if r.verdict != "" {
			out.Verdict = r.verdict
		}
		out.Reason = r.reason
	case spec.State.Is(types.SpecStateSkipped) && r.verdict != "":
		out.Verdict, out.Reason = r.verdict, r.reason
	case spec.State.Is(types.SpecStateFailed) && r.finding != nil:
		out.Verdict, out.Finding = verdict.Failed, r.finding
		if r.finding.Undecided {
			out.Verdict = verdict.Undecided
		}
	default:
		out.Verdict, out.Finding = verdict.Undecided, r.ending(spec)
	}
	if r.optional && out.Finding != nil && !spec.State.Is(types.SpecStateInterrupted|types.SpecStateAborted) {
		out.Reason = "not required, and " + string(out.Verdict)
		out.Verdict = verdict.Waived
	}
	if out.Finding != nil {
		out.Finding = redactFinding(*out.Finding)
	}
	for i := range out.Warnings {
		out.Warnings[i] = *redactFinding(out.Warnings[i])
	}
	if !out.Verdict.Met() {
		out.Log = session.redactor.String(spec.CapturedGinkgoWriterOutput)
	}
	return out
}

// ending explains a check that did not come to its own end.
func (r *record) ending(spec types.SpecReport) *finding.Finding {
	where := ""
	if r.step != "" {
		where = "; it was at: " + r.step
	}
	message := strings.TrimSpace(spec.Failure.Message)
	switch {
	case spec.State.Is(types.SpecStateInterrupted | types.SpecStateAborted):
		return finding.NotDecided("the check runs to its end", "the run was interrupted"+where, "", "run it again")
	case spec.State.Is(types.SpecStateTimedout):
		return finding.NotDecided("the check ends within its time", "it did not"+where,
			"the cluster is slower than the check allows, or something hangs", "look at the step named above, then run it again alone with --focus="+r.item.ID)
	case spec.State.Is(types.SpecStatePanicked):
		return finding.NotDecided("the check runs to its end", "a defect of this suite: "+spec.Failure.ForwardedPanic+" at "+spec.Failure.Location.String(),
			"the check itself is wrong, not your cluster", "report it with the log of this item")
	case message == "":
		message = "Ginkgo ended it as " + spec.State.String()
	}
	return finding.NotDecided("the check runs to its end", message+where, "", "")
}
