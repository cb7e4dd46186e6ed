package faults

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"aiv.internal/conformance/cmd/lab/answers"
	"aiv.internal/conformance/cmd/lab/state"
)

// root of the repository, whose other module this one does not import.
const root = "../../../"

// TestEveryCheckIsProved: a check that no fault makes fail may as well always pass.
func TestEveryCheckIsProved(t *testing.T) {
	var failed []string
	for _, fault := range Table() {
		failed = append(failed, fault.Failed...)
	}
	pending := pendingItems(t)
	for _, id := range slices.Concat(probes(t), ownChecks(t)) {
		proved, waits := slices.Contains(failed, id), slices.Contains(pending, id)
		switch {
		case !proved && !waits:
			t.Errorf("no fault makes %s fail", id)
		case proved && waits:
			t.Errorf("a fault is to make %s fail, which has no check", id)
		}
	}
}

// TestFaultsNameItems: a slip in an item's ID would make a declaration mean nothing.
func TestFaultsNameItems(t *testing.T) {
	known := slices.Concat(probes(t), ownChecks(t))
	for _, fault := range Table() {
		for _, ids := range [][]string{fault.Failed, fault.Undecided, fault.Borne, fault.May, fault.MayFail} {
			for _, id := range ids {
				if !slices.Contains(known, id) {
					t.Errorf("%s: %q is no probe", fault.Name, id)
				}
			}
		}
		if again := repeated(slices.Concat(fault.Failed, fault.Undecided, fault.May)); again != "" {
			t.Errorf("%s declares %s twice", fault.Name, again)
		}
		if again := repeated(slices.Concat(fault.Failed, fault.MayFail)); again != "" {
			t.Errorf("%s declares twice that %s fails", fault.Name, again)
		}
	}
}

func repeated(ids []string) string {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return id
		}
	}
	return ""
}

// probes are the items of the catalogue that are measured.
func probes(t *testing.T) []string {
	t.Helper()
	type item struct {
		ID    string `json:"id"`
		Kind  string `json:"kind"`
		Items []item `json:"items"`
	}
	var catalogue struct {
		Sections []struct {
			Subsections []struct {
				Items []item `json:"items"`
			} `json:"subsections"`
		} `json:"sections"`
	}
	content, err := os.ReadFile(root + "testdata/checklist.yaml")
	if err == nil {
		err = yaml.Unmarshal(content, &catalogue)
	}
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	var collect func([]item)
	collect = func(items []item) {
		for _, i := range items {
			if i.Kind == "probe" {
				ids = append(ids, i.ID)
			}
			collect(i.Items)
		}
	}
	for _, section := range catalogue.Sections {
		for _, subsection := range section.Subsections {
			collect(subsection.Items)
		}
	}
	if len(ids) == 0 {
		t.Fatal("the catalogue has no probe")
	}
	return ids
}

// ownChecks are the customer's own checks in the lab's answers.
func ownChecks(t *testing.T) []string {
	t.Helper()
	var file struct {
		Custom []struct {
			ID string `json:"id"`
		} `json:"custom"`
	}
	content, err := answers.Render(state.Dir(t.TempDir()), time.Now())
	if err == nil {
		err = yaml.Unmarshal(content, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, own := range file.Custom {
		ids = append(ids, "N.2."+own.ID)
	}
	return ids
}

// pendingItems are the items that are declared to have no check yet.
func pendingItems(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), root+"suites/pending/pending.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	ast.Inspect(file, func(node ast.Node) bool {
		call, isCall := node.(*ast.CallExpr)
		if !isCall {
			return true
		}
		called, isSelector := call.Fun.(*ast.SelectorExpr)
		if !isSelector || called.Sel.Name != "Pending" {
			return true
		}
		for _, argument := range call.Args {
			literal, isLiteral := argument.(*ast.BasicLit)
			if !isLiteral {
				t.Fatalf("an item that waits for its check is not named by a literal: %v", argument)
			}
			id, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		return false
	})
	return ids
}
