package passes

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/cfg"
)

// path follows a lease from its acquire through the blocks of a function.
type path struct {
	*function
	lease *types.Var // nil if it is assigned to the blank identifier
	err   *types.Var // nil if it is assigned to the blank identifier
	seen  map[visit]bool
}

// state is what is known at a point of a path.
type state struct {
	fresh bool // err is still the error of the acquire
	held  bool // the acquire has succeeded for certain
}

type visit struct {
	block *cfg.Block
	state state
}

// walk returns the first statement at which the lease is lost, if it is in state s before node
// number from of block b; nil if there is none. It follows each branch on which it may be held.
func (p *path) walk(b *cfg.Block, from int, s state) ast.Node {
	for _, n := range b.Nodes[from:] {
		if p.ends(n, s) {
			return nil
		}
		if _, returns := n.(*ast.ReturnStmt); returns || p.assigns(n, p.lease) {
			if s.held || p.lease != nil {
				return n
			}
			return nil
		}
		if p.assigns(n, p.err) {
			s.fresh = false
		}
	}
	cond := p.condition(b)
	for i, succ := range b.Succs {
		next := s
		if cond != nil {
			switch p.judge(cond, i == 0, s) {
			case failed:
				continue
			case succeeded:
				next.held = true
			}
		}
		if end := p.enter(succ, next); end != nil {
			return end
		}
	}
	return nil
}

// enter walks through block b unless it has been entered in this state.
func (p *path) enter(b *cfg.Block, s state) ast.Node {
	if p.seen[visit{b, s}] {
		return nil
	}
	if p.seen == nil {
		p.seen = make(map[visit]bool)
	}
	p.seen[visit{b, s}] = true
	if clause, ok := b.Stmt.(*ast.CommClause); ok && b.Kind == cfg.KindSelectCaseBody &&
		clause.Comm != nil && p.awaits(clause.Comm) {
		return nil
	}
	return p.walk(b, 0, s)
}

// ends reports whether nothing is lost after n: the lease is handed on or has ended, the test has
// failed, or n makes something of the error, on which the program may decide later.
func (p *path) ends(n ast.Node, s state) bool {
	if ret, ok := n.(*ast.ReturnStmt); ok && ret.Results == nil && p.isResult(p.lease) {
		return true
	}
	return p.handsOn(n) || !p.comms()[n] && p.awaits(n) || failsTest(p.info, n) ||
		s.fresh && !s.held && p.derives(n)
}

// readers are the methods of a lease that do not hand it on.
var readers = map[string]bool{
	"Name": true, "Token": true, "Context": true, "Valid": true, "ValidUntil": true, "Err": true,
}

// handsOn reports whether n releases the lease, passes it on or stores it.
func (p *path) handsOn(n ast.Node) (found bool) {
	if p.lease == nil {
		return false
	}
	var visit func(n ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if variable(p.info, n.X) == p.lease && readers[n.Sel.Name] {
				return false
			}
		case *ast.BinaryExpr:
			if comparand(p.info, n, p.lease) != nil {
				return false
			}
		case *ast.AssignStmt:
			for i, e := range n.Lhs {
				if variable(p.info, e) != p.lease {
					ast.Inspect(e, visit)
				}
				if len(n.Lhs) == len(n.Rhs) && isBlank(e) && variable(p.info, n.Rhs[i]) == p.lease {
					continue // _ = lease
				}
				ast.Inspect(n.Rhs[min(i, len(n.Rhs)-1)], visit)
			}
			return false
		case *ast.Ident:
			found = found || p.info.Uses[n] == p.lease
		}
		return !found
	}
	ast.Inspect(n, visit)
	return found
}

// awaits reports whether n receives from the Done channel of the lease's context.
func (p *path) awaits(n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if recv, ok := n.(*ast.UnaryExpr); ok && recv.Op == token.ARROW {
			done := method(recv.X, "Done")
			found = found || done != nil && p.calls(done, "Context")
		}
		return !found
	})
	return found
}

// failsTest reports whether n fails or skips the test that runs it.
func failsTest(info *types.Info, n ast.Node) bool {
	stmt, ok := n.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := stmt.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	name := calleeName(info, call)
	name, common := strings.CutPrefix(name, "testing.common.")
	name, tb := strings.CutPrefix(name, "testing.TB.")
	switch name {
	case "Error", "Errorf", "Fail", "FailNow", "Fatal", "Fatalf", "Skip", "Skipf", "SkipNow":
		return common || tb
	}
	return false
}

// derives reports whether n makes something of the error. A call that is given the error does not,
// nor does a return.
func (p *path) derives(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt, *ast.ValueSpec, *ast.SendStmt:
		return mentions(p.info, n, p.err) && !p.assigns(n, p.err)
	case *ast.ExprStmt:
		_, call := n.X.(*ast.CallExpr)
		return !call && mentions(p.info, n, p.err)
	}
	return false
}

// assigns reports whether n assigns to v.
func (p *path) assigns(n ast.Node, v *types.Var) bool {
	var lhs []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		lhs = n.Lhs
	case *ast.ValueSpec:
		lhs = expressions(n.Names)
	}
	for _, e := range lhs {
		if v != nil && variable(p.info, e) == v {
			return true
		}
	}
	return false
}
