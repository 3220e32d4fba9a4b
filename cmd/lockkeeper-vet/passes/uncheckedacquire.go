package passes

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// UncheckedAcquire reports acquires of which nobody looks whether they succeeded.
var UncheckedAcquire = &analysis.Analyzer{
	Name: "uncheckedacquire",
	Doc: `report acquires whose error is ignored

An acquire can fail, and then the code that follows runs without the lock:

	mu.Lock(ctx) // an error if ctx ends
	defer mu.Unlock()

The analyzer reports, for the locks of packages primitives and manager, an error of an acquire, or
the result of a try, that is dropped or assigned to the blank identifier:

	mu.Lock(ctx)
	_ = mu.Lock(ctx)
	mu.TryLock()
	lease, _ := claim.Acquire(ctx)
	claim.Do(ctx, f)

It does not report
  - a lock of package primitives whose context cannot end while it matters: context.Background(),
    TODO() or WithoutCancel(…), the Context() of a test, a variable that is assigned such a
    context only, or one that only a deferred cancel ends;
  - a lease that is compared with nil, sent or returned: nil says that nothing is held;
  - the last statement of a function literal: nothing follows;
  - "_ = claim.Do(ctx, f)" and "_ = locks.Lead(…)": nothing runs without the lock;
  - the Wait methods of Event, Latch, Barrier and Cond;
  - an error that is assigned to a variable and not used.`,
	URL:      "https://pkg.go.dev/" + library + "cmd/lockkeeper-vet/passes#UncheckedAcquire",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      runUncheckedAcquire,
}

func runUncheckedAcquire(pass *analysis.Pass) (any, error) {
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.WithStack(statements, func(n ast.Node, push bool, stack []ast.Node) bool {
		if !push || endsLiteral(stack) {
			return push
		}
		file := stack[0].(*ast.File)
		discarded(n, func(call *ast.CallExpr, explicit bool) { unchecked(pass, file, call, explicit) })
		if lhs, call := targets(n); call != nil && isBlank(lhs[1]) {
			v := variable(pass.TypesInfo, lhs[0])
			if v == nil || v.Name() == "_" || !checkedAsNil(pass.TypesInfo, file, v) {
				unchecked(pass, file, call, true)
			}
		}
		return true
	})
	return nil, nil
}

// endsLiteral reports whether the last node of the stack is the last statement of a function
// literal.
func endsLiteral(stack []ast.Node) bool {
	if len(stack) < 3 {
		return false
	}
	_, literal := stack[len(stack)-3].(*ast.FuncLit)
	body, ok := stack[len(stack)-2].(*ast.BlockStmt)
	return literal && ok && body.List[len(body.List)-1] == stack[len(stack)-1]
}

// unchecked reports call if it is an acquire that can fail.
func unchecked(pass *analysis.Pass, file *ast.File, call *ast.CallExpr, explicit bool) {
	what := types.ExprString(call)
	switch acquires[calleeName(pass.TypesInfo, call)] {
	case endedContext:
		if len(call.Args) > 0 && !endless(pass.TypesInfo, file, call.Args[0]) {
			pass.Reportf(call.Pos(), "the error of %s is ignored: "+
				"if the context ends, the code that follows runs without the lock", what)
		}
	case anyError:
		pass.Reportf(call.Pos(), "the error of %s is ignored: "+
			"if it fails, the code that follows runs without the lock", what)
	case notTaken:
		pass.Reportf(call.Pos(), "the result of %s is ignored: "+
			"if it is false, the code that follows runs without the lock", what)
	case notRun:
		if !explicit {
			pass.Reportf(call.Pos(), "the error of %s is ignored: "+
				"if the lock is not acquired, the function does not run", what)
		}
	}
}

// checkedAsNil reports whether the file compares v with nil, or sends or returns it, so that others
// can do so.
func checkedAsNil(info *types.Info, file *ast.File, v *types.Var) (found bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			found = found || comparand(info, n, v) != nil
		case *ast.SendStmt:
			found = found || variable(info, n.Value) == v
		case *ast.ReturnStmt:
			for _, e := range n.Results {
				found = found || variable(info, e) == v
			}
		}
		return !found
	})
	return found
}

// comparand returns what b compares v with, or nil if it does not.
func comparand(info *types.Info, b *ast.BinaryExpr, v *types.Var) ast.Expr {
	switch {
	case v == nil || b.Op != token.EQL && b.Op != token.NEQ:
		return nil
	case variable(info, b.X) == v:
		return b.Y
	case variable(info, b.Y) == v:
		return b.X
	}
	return nil
}

// endless reports whether the context e cannot end while it matters.
func endless(info *types.Info, file *ast.File, e ast.Expr) bool {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		switch calleeName(info, call) {
		case "context.Background", "context.TODO", "context.WithoutCancel",
			"testing.common.Context", "testing.TB.Context":
			return true
		}
		return false
	}
	v := variable(info, e)
	if v == nil {
		return false
	}
	values := assigned(info, file, v)
	for _, value := range values {
		if _, call := value.(*ast.CallExpr); !call || !endless(info, file, value) {
			return false
		}
	}
	return len(values) > 0
}

// assigned returns all values of v, nil for those that are not known. It returns none for a
// variable that no statement of the file declares, as a parameter or a field.
func assigned(info *types.Info, file *ast.File, v *types.Var) (values []ast.Expr) {
	declared := false
	collect := func(lhs, rhs []ast.Expr) {
		for i, e := range lhs {
			if variable(info, e) != v {
				continue
			}
			declared = declared || e.Pos() == v.Pos()
			var value ast.Expr
			if len(lhs) == len(rhs) {
				value = ast.Unparen(rhs[i])
			} else if len(lhs) == 2 && len(rhs) == 1 {
				value = parent(info, file, rhs[0], lhs[1])
			}
			values = append(values, value)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			collect(n.Lhs, n.Rhs)
		case *ast.ValueSpec:
			collect(expressions(n.Names), n.Values)
		case *ast.UnaryExpr: // its address is taken: anything may be assigned
			if n.Op == token.AND && variable(info, n.X) == v {
				values = append(values, nil)
			}
		}
		return true
	})
	if !declared {
		return nil
	}
	return values
}

// parent returns the context from which e derives one with the function cancel, if nothing but a
// defer calls cancel; else nil.
func parent(info *types.Info, file *ast.File, e, cancel ast.Expr) ast.Expr {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || calleeName(info, call) != "context.WithCancel" {
		return nil
	}
	uses, deferred := 0, 0
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if v, ok := info.Uses[n].(*types.Var); ok && v == variable(info, cancel) {
				uses++
			}
		case *ast.DeferStmt:
			if v := variable(info, n.Call.Fun); v != nil && v == variable(info, cancel) {
				deferred++
			}
		}
		return true
	})
	if uses != deferred {
		return nil
	}
	return ast.Unparen(call.Args[0])
}
