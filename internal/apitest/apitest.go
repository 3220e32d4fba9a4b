package apitest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
	"testing"
)

// A Row is one call with an argument that makes no sense, and its wanted outcome.
type Row struct {
	Name string     // of the function, or "Type.Method"
	Case string     // which argument
	Call func() any // returns what the call does: an error, or any other value
	Want string     // the beginning of the outcome, see Outcome
}

// Outcome calls f and returns its outcome as text: "panic: " and the value, "error: " and the text
// of the error, or the value that f returned, as fmt prints it.
func Outcome(f func() any) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint("panic: ", v)
		}
	}()
	v := f()
	if err, ok := v.(error); ok {
		return "error: " + err.Error()
	}
	return fmt.Sprint(v)
}

// NilPointer is the beginning of the outcome of a method call on a nil pointer, for types that give
// nil no meaning, like those of package sync.
const NilPointer = "panic: runtime error: invalid memory address"

// Run checks every row. It also checks that each function and method that the package in the
// working directory exports has a row, or a reason in exempt.
func Run(t *testing.T, rows []Row, exempt map[string]string) {
	t.Helper()
	missing, err := exported(".")
	if err != nil {
		t.Fatal(err)
	}
	known := func(name string) {
		if _, ok := missing[name]; !ok {
			t.Errorf("the package does not export %s", name)
		}
		missing[name] = true
	}
	for name, reason := range exempt {
		if reason == "" {
			t.Errorf("%s is exempt for no reason", name)
		}
		known(name)
	}
	for _, r := range rows {
		known(r.Name)
		if got := Outcome(r.Call); !strings.HasPrefix(got, r.Want) {
			t.Errorf("%s, %s: %q, want %q", r.Name, r.Case, got, r.Want)
		}
	}
	for name, seen := range missing {
		if !seen {
			t.Errorf("%s has no row in the table", name)
		}
	}
}

// exported returns the functions and methods that the package in dir exports, each with false.
func exported(dir string) (map[string]bool, error) {
	sources := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	packages, err := parser.ParseDir(token.NewFileSet(), dir, sources, 0) //nolint:staticcheck // of any build tag
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, p := range packages {
		for _, file := range p.Files {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Name.IsExported() {
					if name := fullName(f); ast.IsExported(name) {
						names[name] = false
					}
				}
			}
		}
	}
	return names, nil
}

// fullName is "Func" or "Type.Method".
func fullName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	for {
		switch t := of.(type) {
		case *ast.StarExpr:
			of = t.X
		case *ast.IndexExpr:
			of = t.X
		case *ast.IndexListExpr:
			of = t.X
		case *ast.Ident:
			return t.Name + "." + f.Name.Name
		default:
			return ""
		}
	}
}
