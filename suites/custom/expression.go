package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"

	"aiv.internal/conformance/framework/answers"
)

const (
	// costLimit is what one evaluation may cost, in CEL's units; Kubernetes gives a
	// validation rule of its own ten times as much (apiserver/pkg/cel/limits.go).
	costLimit = 1_000_000
	// interruptEvery is after how many steps of a comprehension the context is looked at.
	interruptEvery = 100
	// mostValues and mostText bound what a finding quotes of an object.
	mostValues, mostText = 6, 80
)

// expression is a CEL expression over one variable (https://cel.dev), made when a check
// needs it and not before: the library takes its time.
type expression struct {
	text    string
	ast     *cel.Ast
	program cel.Program
}

// compile returns the expression, or an error that says where in the text it is wrong.
func compile(text, variable string) (*expression, error) {
	environment, err := cel.NewEnv(cel.Variable(variable, cel.DynType), cel.OptionalTypes(),
		ext.Strings(), ext.Lists(), ext.Sets(), ext.Math(), ext.Encoders())
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	tree, issues := environment.Compile(text)
	if issues != nil && len(issues.Errors()) > 0 {
		first := issues.Errors()[0]
		return nil, fmt.Errorf("no CEL expression, at line %d, column %d: %s", first.Location.Line(), first.Location.Column()+1, first.Message)
	}
	if kind := tree.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the CEL expression gives %s, and must give true or false", kind)
	}
	program, err := environment.Program(tree, cel.CostLimit(costLimit), cel.InterruptCheckFrequency(interruptEvery), cel.EvalOptions(cel.OptTrackState))
	if err != nil {
		return nil, fmt.Errorf("prepare the CEL expression: %w", err)
	}
	return &expression{text: text, ast: tree, program: program}, nil
}

// errNoAnswer marks an expression that came to no answer, because the object lacks a field
// or the evaluation was too much.
var errNoAnswer = errors.New("the expression has no answer")

// holds evaluates the expression; seen quotes the fields that it looked at.
func (e *expression) holds(ctx context.Context, variable string, value any) (is bool, seen string, err error) {
	out, details, err := e.program.ContextEval(ctx, map[string]any{variable: value})
	if ctx.Err() != nil {
		return false, "", ctx.Err()
	}
	if err != nil {
		return false, "", fmt.Errorf("%w: %v", errNoAnswer, err)
	}
	answer, isBool := out.(types.Bool)
	if !isBool {
		return false, "", fmt.Errorf("%w of true or false, but a %s", errNoAnswer, out.Type().TypeName())
	}
	return bool(answer), e.values(details), nil
}

// values renders the fields that the expression read, "object.spec.replicas = 1".
func (e *expression) values(details *cel.EvalDetails) string {
	if details == nil || details.State() == nil {
		return ""
	}
	inner := map[int64]bool{}
	fields := ast.MatchDescendants(ast.NavigateAST(e.ast.NativeRep()), func(node ast.NavigableExpr) bool {
		return node.Kind() == ast.SelectKind && !node.AsSelect().IsTestOnly()
	})
	for _, field := range fields {
		inner[field.AsSelect().Operand().ID()] = true
	}
	var out []string
	for _, field := range fields {
		path := pathOf(field)
		if inner[field.ID()] || path == "" || len(out) == mostValues {
			continue
		}
		value, known := details.State().Value(field.ID())
		if !known || types.IsUnknownOrError(value) {
			continue
		}
		text, err := json.Marshal(value.Value())
		if err != nil {
			text = fmt.Append(nil, value.Value())
		}
		if line := path + " = " + shorten(string(text)); !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return strings.Join(out, ", ")
}

// pathOf renders a chain of fields, "" for anything else.
func pathOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent()
	case ast.SelectKind:
		if path := pathOf(e.AsSelect().Operand()); path != "" {
			return path + "." + e.AsSelect().FieldName()
		}
	}
	return ""
}

func shorten(text string) string {
	if len(text) <= mostText {
		return text
	}
	return strings.ToValidUTF8(text[:mostText], "") + "…"
}

// The names by which expressions call what they look at.
const (
	objectVariable = "object"
	bodyVariable   = "body"
)

// Validate compiles all expressions of the answers file, so that a mistake in one is known
// before anything is checked. It returns the first one's error with its place in the file.
func Validate(file *answers.File) error {
	for i, c := range file.Custom {
		at, text, variable := "", "", ""
		switch {
		case c.Object != nil:
			at, text, variable = "object", c.Object.Expect, objectVariable
		case c.HTTP != nil && c.HTTP.Expect != "":
			at, text, variable = "http", c.HTTP.Expect, bodyVariable
		default:
			continue
		}
		if _, err := compile(text, variable); err != nil {
			return file.Wrong(fmt.Sprintf("custom[%d].%s.expect", i, at), "%v", err)
		}
	}
	return nil
}
