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
	"github.com/google/cel-go/common/operators"
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
	ast *cel.Ast
	// limited gives the answer; telling also keeps what each part of the expression gave,
	// and would ignore the limit of costs for that.
	limited, telling cel.Program
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
	limited, err := environment.Program(tree, cel.CostLimit(costLimit), cel.InterruptCheckFrequency(interruptEvery))
	if err != nil {
		return nil, fmt.Errorf("prepare the CEL expression: %w", err)
	}
	telling, err := environment.Program(tree, cel.InterruptCheckFrequency(interruptEvery), cel.EvalOptions(cel.OptTrackState))
	if err != nil {
		return nil, fmt.Errorf("prepare the CEL expression: %w", err)
	}
	return &expression{ast: tree, limited: limited, telling: telling}, nil
}

// errNoAnswer marks an expression that came to no answer, because the object lacks a field
// or the evaluation was too much.
var errNoAnswer = errors.New("the expression has no answer")

// holds evaluates the expression. Where it does not hold, seen quotes the fields that it
// looked at.
func (e *expression) holds(ctx context.Context, variable string, value any) (is bool, seen string, err error) {
	input := map[string]any{variable: value}
	out, _, err := e.limited.ContextEval(ctx, input)
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
	if answer {
		return true, "", nil
	}
	_, details, err := e.telling.ContextEval(ctx, input)
	if err != nil {
		return false, "", ctx.Err()
	}
	return false, e.values(details), nil
}

// values renders the fields that the expression read, "object.spec.replicas = 1".
func (e *expression) values(details *cel.EvalDetails) string {
	if details == nil || details.State() == nil {
		return ""
	}
	inner := map[int64]bool{}
	fields := ast.MatchDescendants(ast.NavigateAST(e.ast.NativeRep()), func(node ast.NavigableExpr) bool {
		if node.Kind() == ast.SelectKind { // has(…) too
			inner[node.AsSelect().Operand().ID()] = true
		}
		if operand := operandOf(node); operand != nil {
			inner[operand.ID()] = true
		}
		return operandOf(node) != nil
	})
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

// operandOf returns what a field or an element is taken from, nil for anything else.
func operandOf(e ast.Expr) ast.Expr {
	switch {
	case e.Kind() == ast.SelectKind && !e.AsSelect().IsTestOnly():
		return e.AsSelect().Operand()
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index && e.AsCall().Args()[1].Kind() == ast.LiteralKind:
		return e.AsCall().Args()[0]
	}
	return nil
}

// pathOf renders a chain of fields and elements, "" for anything else.
func pathOf(e ast.Expr) string {
	if e.Kind() == ast.IdentKind {
		return e.AsIdent()
	}
	operand := operandOf(e)
	if operand == nil {
		return ""
	}
	path := pathOf(operand)
	switch {
	case path == "":
		return ""
	case e.Kind() == ast.SelectKind:
		return path + "." + e.AsSelect().FieldName()
	}
	return fmt.Sprintf("%s[%q]", path, fmt.Sprint(e.AsCall().Args()[1].AsLiteral().Value()))
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
