// Package check is the vocabulary in which suites are written: a subsection of the
// checklist, the items in it, and what a check can say of one. It is Ginkgo below; titles,
// labels, time limits and contacts come from the catalogue, and an item whose answer is
// missing is "not answered" without its author writing a line for it.
//
// A check never creates anything but through the Kit that it is given, and never prints.
package check

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/checklist"
)

// defaultTimeout bounds one check. Waits inside have shorter deadlines of their own; this
// one catches a check that forgot.
const defaultTimeout = 4 * time.Minute

// Subsection holds the checks of one subsection of the checklist, for example "6.1". It
// returns a value only so that it can stand in a variable declaration.
func Subsection(id string, body func()) bool {
	return ginkgo.Describe(id, ginkgo.Offset(1), body)
}

// Item registers the check of one item. The body receives the answers of the item's
// subsection (or of any other, by its type) once the item's own answer is known to be
// there. Further arguments are Ginkgo decorators.
func Item[A any](id string, body func(ctx context.Context, a A), decorators ...any) {
	item, place, ok := register(id, 1)
	if !ok {
		return
	}
	spec(item, place, func(ctx context.Context) {
		requireAnswer(item)
		body(ctx, answers.Section[A](session.answers))
		requireWritten(ctx, item)
	}, decorators)
}

// Attested registers items that only people know: the answer is an attestation, which must
// be complete and current, and whose link must answer.
func Attested(ids ...string) {
	for _, id := range ids {
		item, place, ok := register(id, 1)
		if !ok {
			continue
		}
		spec(item, place, func(ctx context.Context) {
			requireAnswer(item)
			attest(ctx, item, item.Answer)
		}, nil)
	}
}

// AttestedAnd registers an attested item whose answers can also be held against each
// other, for example a renewal that must come before an expiry.
func AttestedAnd[A any](id string, body func(ctx context.Context, a A)) {
	item, place, ok := register(id, 1)
	if !ok {
		return
	}
	spec(item, place, func(ctx context.Context) {
		requireAnswer(item)
		body(ctx, answers.Section[A](session.answers))
		attest(ctx, item, item.Answer)
	}, nil)
}

// Pending registers items whose check is still to be written. They are reported as such
// and keep the deployment from being ready.
func Pending(ids ...string) {
	for _, id := range ids {
		item, place, ok := register(id, 1)
		if !ok {
			continue
		}
		spec(item, place, func(context.Context) {
			unchecked("no check yet: this version of the suite does not measure it")
		}, nil)
	}
}

// Added registers a check for an item that is not the checklist's but the customer's own.
// Further arguments are Ginkgo decorators.
func Added(id string, body func(ctx context.Context), decorators ...any) {
	if item, place, ok := register(id, 1); ok {
		spec(item, place, body, decorators)
	}
}

// spec puts one check into Ginkgo's tree, unless the run leaves the item out: what is not
// selected must not even appear.
func spec(item checklist.Item, place string, body func(ctx context.Context), decorators []any) {
	if !session.everything && !session.config.Selected[item.ID] {
		return
	}
	args := []any{
		ginkgo.Label(idLabel+item.ID, "section:"+item.Section, "kind:"+string(item.Kind)),
		topics(item),
		ginkgo.NodeTimeout(defaultTimeout),
		types.NewCustomCodeLocation(place),
	}
	args = append(args, decorators...)
	args = append(args, func(ctx ginkgo.SpecContext) {
		begin(item, place)
		body(ctx)
	})
	ginkgo.It(item.ID+" "+item.Title, args...)
}

// idLabel begins the label that names a spec's item.
const idLabel = "id:"

func topics(item checklist.Item) ginkgo.Labels {
	var labels ginkgo.Labels
	for _, topic := range item.Topics {
		labels = append(labels, "topic:"+topic)
	}
	return labels
}
