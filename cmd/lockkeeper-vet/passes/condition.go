package passes

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/cfg"
)

// outcome is what a condition says about an acquire.
type outcome int

const (
	unknown outcome = iota
	succeeded
	failed // or the lease has ended, or the condition leaves it to others to judge
)

// condition returns the condition on which block b branches, or nil if there is none.
func (f *function) condition(b *cfg.Block) ast.Expr {
	if len(b.Succs) != 2 || len(b.Nodes) == 0 {
		return nil
	}
	cond, ok := b.Nodes[len(b.Nodes)-1].(ast.Expr)
	if !ok {
		return nil
	}
	if clause, ok := b.Succs[0].Stmt.(*ast.CaseClause); ok && b.Succs[1].Kind == cfg.KindSwitchNextCase {
		if tag := f.switches()[clause]; tag != nil {
			return &ast.BinaryExpr{X: tag, Op: token.EQL, Y: cond}
		}
	}
	return cond
}

// switches returns the tags of the function's switch statements, by their clauses.
func (f *function) switches() map[*ast.CaseClause]ast.Expr {
	if f.tags == nil {
		f.survey()
	}
	return f.tags
}

// comms returns the sends and receives of the function's select statements.
func (f *function) comms() map[ast.Node]bool {
	if f.tags == nil {
		f.survey()
	}
	return f.selects
}

func (f *function) survey() {
	f.tags, f.selects = make(map[*ast.CaseClause]ast.Expr), make(map[ast.Node]bool)
	ast.Inspect(f.node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SwitchStmt:
			for _, clause := range n.Body.List {
				f.tags[clause.(*ast.CaseClause)] = n.Tag
			}
		case *ast.CommClause:
			f.selects[n.Comm] = true
		}
		return true
	})
}

// judge returns what it says about the acquire that cond is true, or false.
func (p *path) judge(cond ast.Expr, truth bool, s state) outcome {
	switch c := ast.Unparen(cond).(type) {
	case *ast.UnaryExpr:
		if c.Op == token.NOT {
			return p.judge(c.X, !truth, s)
		}
	case *ast.BinaryExpr:
		switch c.Op {
		case token.LAND, token.LOR:
			x, y := p.judge(c.X, truth, s), p.judge(c.Y, truth, s)
			if truth == (c.Op == token.LAND) { // both sides are as truth says
				return max(x, y)
			}
			if x == y { // at least one is
				return x
			}
			return unknown
		case token.EQL, token.NEQ:
			return p.compare(c, truth == (c.Op == token.EQL), s)
		}
	case *ast.CallExpr:
		switch {
		case p.calls(c, "Valid"):
			if truth {
				return succeeded
			}
			return failed
		case s.fresh && p.searches(c):
			if truth {
				return failed
			}
			return unknown
		}
	}
	return p.leave(cond, s)
}

// compare judges the comparison c, of which both sides are the same, or not.
func (p *path) compare(c *ast.BinaryExpr, same bool, s state) outcome {
	ok, bad := succeeded, failed
	if !same {
		ok, bad = failed, succeeded
	}
	if y := comparand(p.info, c, p.lease); y != nil && p.info.Types[y].IsNil() {
		return bad
	}
	if call, isCall := ast.Unparen(c.X).(*ast.CallExpr); isCall && p.calls(call, "Err") &&
		p.info.Types[c.Y].IsNil() {
		return ok
	}
	y := comparand(p.info, c, p.err)
	switch {
	case y == nil || !s.fresh:
		return p.leave(c, s)
	case p.info.Types[y].IsNil():
		return ok
	case same:
		return failed // the same as some other error
	}
	return unknown
}

// leave judges a condition that is not understood. If it depends on the error, what the program
// does then is left alone.
func (p *path) leave(cond ast.Expr, s state) outcome {
	if s.fresh && !s.held && mentions(p.info, cond, p.err) {
		return failed
	}
	return unknown
}

// searches reports whether call looks for something in the error.
func (p *path) searches(call *ast.CallExpr) bool {
	switch calleeName(p.info, call) {
	case "errors.Is", "errors.As":
		return len(call.Args) == 2 && variable(p.info, call.Args[0]) == p.err
	}
	return false
}

// calls reports whether e calls the method of the lease.
func (p *path) calls(e ast.Expr, name string) bool {
	recv := method(e, name)
	return recv != nil && p.lease != nil && variable(p.info, recv) == p.lease
}

// method returns x if e is the call x.name().
func method(e ast.Expr, name string) ast.Expr {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return nil
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return nil
	}
	return sel.X
}
