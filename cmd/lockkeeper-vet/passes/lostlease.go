package passes

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/ctrlflow"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/cfg"
)

// LostLease reports leases that stay held.
var LostLease = &analysis.Analyzer{
	Name: "lostlease",
	Doc: `report leases that are not released on some path

A lease that a function acquires and does not release stays held: others wait until the program
ends, or until the manager finds that the lease was dropped.

	lease, err := locks.Lock("report").Acquire(ctx)
	if err != nil {
		return err
	}
	if err := work(lease.Context()); err != nil {
		return err // still held
	}
	return lease.Release()

The analyzer reports an Acquire or TryAcquire of a claim, or an Adopt, from which a path leads to a return, or to
another assignment of the variable, on which the lease is neither released nor handed on. A lease
is handed on if it is passed to a function, returned, stored, sent or captured by a function
literal; Detach ends it as Release does. Name, Token, Context, Valid, ValidUntil and Err do not hand it on, nor does a comparison.
It also reports an acquire whose lease is assigned to the blank identifier and whose success is
certain on such a path.

Paths on which the lease cannot be held are left alone: those on which the error is not nil or
errors.Is or errors.As finds something in it, the lease is nil or not Valid, its Context is Done;
and those that end the program, panic, or fail a test. So are
  - functions that call Close of a manager, which ends all its leases;
  - paths after a decision by a function that is given the error, or by a variable made from it;
  - leases that another function returns, and those in fields or in variables of a surrounding
    function.

Two conditions that are always the same are not recognized: a lease that one "if exclusive" acquires
and another releases is reported. Let the second compare the lease with nil.`,
	URL:      "https://pkg.go.dev/" + library + "cmd/lockkeeper-vet/passes#LostLease",
	Requires: []*analysis.Analyzer{inspect.Analyzer, ctrlflow.Analyzer},
	Run:      runLostLease,
}

func runLostLease(pass *analysis.Pass) (any, error) {
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.WithStack([]ast.Node{(*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)},
		func(n ast.Node, push bool, stack []ast.Node) bool {
			if push && !closes(pass.TypesInfo, stack[1]) { // stack[1]: the outermost declaration
				lostIn(pass, n)
			}
			return true
		})
	return nil, nil
}

// closes reports whether n calls Close of a manager.
func closes(info *types.Info, n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		found = found || ok && calleeName(info, call) == "manager.Manager.Close"
		return !found
	})
	return found
}

// lostIn reports the leases that the function fn loses. Functions within it are not looked at.
func lostIn(pass *analysis.Pass, fn ast.Node) {
	graphs := pass.ResultOf[ctrlflow.Analyzer].(*ctrlflow.CFGs)
	f := function{info: pass.TypesInfo, node: fn}
	switch fn := fn.(type) {
	case *ast.FuncDecl:
		f.graph, f.typ = graphs.FuncDecl(fn), fn.Type
	case *ast.FuncLit:
		f.graph, f.typ = graphs.FuncLit(fn), fn.Type
	}
	if f.graph == nil {
		return
	}
	for _, b := range f.graph.Blocks {
		for i, n := range b.Nodes {
			lhs, call := targets(n)
			if call == nil || !b.Live || !acquiresLease(f.info, call) {
				continue
			}
			if end := f.lost(b, i, lhs); end != nil {
				report(pass, call, lhs[0], end)
			}
		}
	}
}

// report reports a lease that may be lost at end.
func report(pass *analysis.Pass, call *ast.CallExpr, lease ast.Expr, end ast.Node) {
	line := pass.Fset.Position(end.Pos()).Line
	name := types.ExprString(lease)
	_, returns := end.(*ast.ReturnStmt)
	switch what := types.ExprString(call.Fun); {
	case name == "_":
		pass.Reportf(call.Pos(), "the lease of %s is dropped and stays held: "+
			"keep it and call its Release", what)
	case !returns:
		pass.Reportf(call.Pos(), "%s may be held when line %d assigns it again: "+
			"call %s.Release() before", name, line, name)
	default:
		pass.Reportf(call.Pos(), "%s may be held at the return on line %d: "+
			"call %s.Release(), best deferred after the check of the error", name, line, name)
	}
}

// function is a function whose paths are followed.
type function struct {
	info  *types.Info
	node  ast.Node
	typ   *ast.FuncType
	graph *cfg.CFG

	// Made by survey.
	tags    map[*ast.CaseClause]ast.Expr // of its switch statements
	selects map[ast.Node]bool            // the sends and receives of its select statements
}

// lost returns the statement at which the lease that node i of block b acquires may be lost, or
// nil.
func (f *function) lost(b *cfg.Block, i int, lhs []ast.Expr) ast.Node {
	p := path{function: f, err: variable(f.info, lhs[1])}
	if !isBlank(lhs[0]) {
		p.lease = variable(f.info, lhs[0])
		if p.lease == nil || !f.owns(p.lease) || f.captured(p.lease, b.Nodes[i].Pos()) {
			return nil
		}
	}
	if isBlank(lhs[1]) {
		p.err = nil
	}
	return p.walk(b, i+1, state{fresh: p.err != nil})
}

// owns reports whether v is declared in the function.
func (f *function) owns(v *types.Var) bool {
	return f.node.Pos() <= v.Pos() && v.Pos() < f.node.End()
}

// captured reports whether a function literal before pos refers to v, or v's address is taken
// there.
func (f *function) captured(v *types.Var, pos token.Pos) (found bool) {
	ast.Inspect(f.node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			found = found || n != f.node && n.Pos() < pos && mentions(f.info, n, v)
		case *ast.UnaryExpr:
			found = found || n.Op == token.AND && n.Pos() < pos && variable(f.info, n.X) == v
		}
		return !found
	})
	return found
}

// isResult reports whether v is a named result of the function, which a naked return returns.
func (f *function) isResult(v *types.Var) bool {
	r := f.typ.Results
	return v != nil && r != nil && r.Pos() <= v.Pos() && v.Pos() < r.End()
}

// mentions reports whether n refers to v.
func mentions(info *types.Info, n ast.Node, v *types.Var) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && v != nil && info.Uses[id] == v
		return !found
	})
	return found
}
