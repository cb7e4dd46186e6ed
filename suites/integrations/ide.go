// Package integrations checks section 10, additional integrations.
package integrations

import (
	"context"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

var _ = check.Subsection("10.2", func() {
	check.AttestedAnd("10.2.1", func(ctx context.Context, a answers.IDE) {
		decided(ctx, "ide.codeServer", a.CodeServer)
	})
	check.AttestedAnd("10.2.2", func(ctx context.Context, a answers.IDE) {
		decided(ctx, "ide.vscode", a.VSCode)
	})
	check.Attested("10.2.3")
})

// decided holds a yes or no: it must be said, and where the thing runs already it must answer.
func decided(ctx context.Context, key string, d answers.Decision) {
	check.Require(key + ".required")
	check.Evidence("required", *d.Required)
	if d.URL != "" {
		check.LinkAnswers(ctx, key+".url", d.URL, nil)
	}
}
