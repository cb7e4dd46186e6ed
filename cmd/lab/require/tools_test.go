package require

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// starters are the functions of the lab that start a program, and which of their arguments
// names it.
var starters = map[string]int{
	"Command": 0, "LookPath": 0, "CommandContext": 1, "tool": 1, "Enter": 2, "run": 2,
}

// unlisted are programs that need no package of the list.
var unlisted = map[string]string{
	"sh":        "every Debian has it",
	"go":        "what calls it says how to get it",
	"apt-get":   "only to install what is missing",
	"systemctl": "only where systemd runs",
}

// TestEveryProgramIsRequired holds the list against the sources: what they start is in it,
// and what is in it is started, by them or by whom it names.
func TestEveryProgramIsRequired(t *testing.T) {
	started := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(at ast.Node) bool {
			if name, found := startedBy(at); found {
				started[name] = path
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, needed := range tools {
		listed[needed.path] = true
		if _, own := started[needed.path]; own == (needed.usedBy != "") {
			t.Errorf("%s: started by the lab is %t, but its list says %q", needed.path, own, needed.usedBy)
		}
	}
	for name, path := range started {
		if !listed[name] && unlisted[name] == "" {
			t.Errorf("%s starts %s, which is not in the list of what the lab needs", path, name)
		}
	}
	for _, name := range []string{"bindfs", "ctr", "unshare"} { // one for each way to start
		if started[name] == "" {
			t.Errorf("the sources do not seem to start %s: this test overlooks calls", name)
		}
	}
}

// startedBy returns the program that a piece of source starts, if it says so in letters: a
// call of a starter, or the Command of a process's Spec.
func startedBy(at ast.Node) (program string, found bool) {
	switch at := at.(type) {
	case *ast.KeyValueExpr:
		if key, is := at.Key.(*ast.Ident); is && key.Name == "Command" {
			return firstWord(at.Value)
		}
	case *ast.CallExpr:
		var name string
		switch function := at.Fun.(type) {
		case *ast.Ident:
			name = function.Name
		case *ast.SelectorExpr:
			name = function.Sel.Name
		}
		if place, starts := starters[name]; starts && place < len(at.Args) {
			return firstWord(at.Args[place])
		}
	}
	return "", false
}

// firstWord is a literal, or the first element of a list, also of one that is appended to.
func firstWord(expression ast.Expr) (word string, found bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		word, err := strconv.Unquote(e.Value)
		return word, err == nil && e.Kind == token.STRING
	case *ast.CompositeLit:
		if len(e.Elts) > 0 {
			return firstWord(e.Elts[0])
		}
	case *ast.CallExpr:
		if function, is := e.Fun.(*ast.Ident); is && function.Name == "append" {
			return firstWord(e.Args[0])
		}
	}
	return "", false
}
