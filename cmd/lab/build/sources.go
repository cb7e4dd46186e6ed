package build

import (
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// modulePath is that of the module that this package is in.
const modulePath = "aiv.internal/conformance/cmd/lab"

// sources are the Go files of the package in folder, and of all packages of this module that
// it imports, directly or not: a change of any of them makes another program.
func sources(module, folder string) ([]string, error) {
	var files []string
	folders := []string{filepath.Clean(folder)}
	for at := 0; at < len(folders); at++ {
		own, err := filepath.Glob(filepath.Join(folders[at], "*.go"))
		if err != nil {
			return nil, err
		}
		own = slices.DeleteFunc(own, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
		files = append(files, own...)
		for _, file := range own {
			imported, err := ownImports(file)
			if err != nil {
				return nil, err
			}
			for _, name := range imported {
				if next := filepath.Join(module, name); !slices.Contains(folders, next) {
					folders = append(folders, next)
				}
			}
		}
	}
	return files, nil
}

// ownImports are the packages of this module that the file imports, below the module's path.
func ownImports(file string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, imported := range parsed.Imports {
		path, err := strconv.Unquote(imported.Path.Value)
		if err != nil {
			return nil, err
		}
		if name, own := strings.CutPrefix(path, modulePath+"/"); own {
			names = append(names, name)
		}
	}
	return names, nil
}

// addFiles adds the files' names and contents to the hash.
func addFiles(hash io.Writer, files []string) error {
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n", filepath.Base(file), len(content))
		if _, err := hash.Write(content); err != nil {
			return err
		}
	}
	return nil
}
