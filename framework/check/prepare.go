package check

import (
	"context"

	"github.com/onsi/ginkgo/v2"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

// Chain holds items that share throwaway objects: they run in order in one worker, early,
// because a chain of pods is what a run waits for. One item's failure does not keep the
// next from its own verdict.
func Chain(name string, body func()) {
	ginkgo.Describe(name, ginkgo.Ordered, ginkgo.ContinueOnFailure, ginkgo.SpecPriority(10), body)
}

// Prepare makes a chain's shared objects once, before its first item; they are removed
// after its last. It is skipped where the answer of the item id is missing. An error does
// not end anything there: each item that calls the returned function gets it as its own.
func Prepare[A any](id string, make func(ctx context.Context, kit *throwaway.Kit, a A) error) (ready func()) {
	var problem error
	ginkgo.BeforeAll(func(ctx ginkgo.SpecContext) {
		item, known := session.catalogue.Item(id)
		if known && item.Answer != "" && !answered(item.Answer) {
			problem = finding.NotDecided("what the check needs", "it could not be prepared", "set "+item.Answer+" in the answers file", "")
			return
		}
		kit, err := kitFor(id)
		if err != nil {
			problem = err
			return
		}
		problem = make(ctx, kit, answers.Section[A](session.answers))
	}, ginkgo.NodeTimeout(defaultTimeout))
	return func() { NoError(problem, "prepare the check") }
}
