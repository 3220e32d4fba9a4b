package passes

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

// library is the module whose users are checked. Names in this package leave it out: the method
// Acquire of a claim is "manager.Claim.Acquire".
const library = "github.com/lockkeeper/lockkeeper/"

// typeName returns the name of t, or of what t points to, if the library declares it; else "".
func typeName(t types.Type) string {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return ""
	}
	pkg, ok := strings.CutPrefix(n.Obj().Pkg().Path(), library)
	if !ok {
		return ""
	}
	return pkg + "." + n.Obj().Name()
}

// isLease reports whether t is *manager.Lease.
func isLease(t types.Type) bool {
	_, pointer := types.Unalias(t).(*types.Pointer)
	return pointer && typeName(t) == "manager.Lease"
}

// calleeName returns the name of the function or method that call calls, if it is known statically.
// Names outside the library are qualified by the whole path of the package, as in
// "testing.common.Errorf".
func calleeName(info *types.Info, call *ast.CallExpr) string {
	fn, ok := typeutil.Callee(info, call).(*types.Func)
	if !ok || fn.Pkg() == nil {
		return ""
	}
	pkg := strings.TrimPrefix(fn.Pkg().Path(), library)
	recv := fn.Signature().Recv()
	if recv == nil {
		return pkg + "." + fn.Name()
	}
	t := recv.Type()
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := types.Unalias(t).(*types.Named); ok {
		return pkg + "." + n.Obj().Name() + "." + fn.Name()
	}
	return ""
}

// failure says how an acquire fails.
type failure int

const (
	endedContext failure = iota + 1 // it fails only if its context ends
	anyError                        // it fails for other reasons too
	notTaken                        // it returns false
	notRun                          // it returns an error, and its function did not run
)

// acquires are the methods that acquire, and how they fail.
var acquires = map[string]failure{
	"manager.Claim.Acquire":    anyError,
	"manager.Claim.TryAcquire": anyError,
	"manager.Claim.Do":         notRun,
	"manager.Manager.Adopt":    anyError,
	"manager.Manager.Lead":     notRun,
	"manager.Election.Lead":    notRun,

	"primitives.Mutex.Lock":             endedContext,
	"primitives.Mutex.TryLock":          notTaken,
	"primitives.RWMutex.Lock":           endedContext,
	"primitives.RWMutex.RLock":          endedContext,
	"primitives.RWMutex.UpgradeLock":    endedContext,
	"primitives.RWMutex.Upgrade":        endedContext,
	"primitives.RWMutex.TryLock":        notTaken,
	"primitives.RWMutex.TryRLock":       notTaken,
	"primitives.RWMutex.TryUpgradeLock": notTaken,
	"primitives.RWMutex.TryUpgrade":     notTaken,
	"primitives.Semaphore.Acquire":      endedContext,
	"primitives.Semaphore.TryAcquire":   notTaken,
	"primitives.KeyedMutex.Lock":        endedContext,
	"primitives.KeyedMutex.TryLock":     notTaken,
	"primitives.KeyedRWMutex.Lock":      endedContext,
	"primitives.KeyedRWMutex.RLock":     endedContext,
	"primitives.KeyedRWMutex.TryLock":   notTaken,
	"primitives.KeyedRWMutex.TryRLock":  notTaken,
}

// acquiresLease reports whether call returns a lease that its caller must release: it calls Acquire or
// TryAcquire of a claim, or Adopt of a manager, or a variable to which these can be assigned.
func acquiresLease(info *types.Info, call *ast.CallExpr) bool {
	switch calleeName(info, call) {
	case "manager.Claim.Acquire", "manager.Claim.TryAcquire", "manager.Manager.Adopt":
		return true
	}
	if _, variable := typeutil.Callee(info, call).(*types.Var); !variable {
		return false
	}
	sig, ok := info.TypeOf(call.Fun).Underlying().(*types.Signature)
	if !ok || !sig.Variadic() || sig.Results().Len() != 2 || !isLease(sig.Results().At(0).Type()) {
		return false
	}
	options, ok := sig.Params().At(sig.Params().Len() - 1).Type().(*types.Slice)
	return ok && typeName(options.Elem()) == "manager.AcquireOption"
}

// isBlank reports whether e is the blank identifier.
func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// discarded calls f for each call whose results are all dropped: a statement of its own, also
// behind go and defer (explicit is false), or assigned to the blank identifier (explicit is true).
func discarded(n ast.Node, f func(call *ast.CallExpr, explicit bool)) {
	drop := func(e ast.Expr, explicit bool) {
		if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
			f(call, explicit)
		}
	}
	values := func(lhs, rhs []ast.Expr) {
		for i, e := range rhs {
			if len(lhs) == len(rhs) && isBlank(lhs[i]) {
				drop(e, true)
			}
		}
	}
	switch n := n.(type) {
	case *ast.ExprStmt:
		drop(n.X, false)
	case *ast.GoStmt:
		f(n.Call, false)
	case *ast.DeferStmt:
		f(n.Call, false)
	case *ast.AssignStmt:
		values(n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		values(expressions(n.Names), n.Values)
	}
}

// expressions returns the identifiers as expressions.
func expressions(ids []*ast.Ident) []ast.Expr {
	es := make([]ast.Expr, len(ids))
	for i, id := range ids {
		es[i] = id
	}
	return es
}

// statements are the nodes that may discard the results of a call.
var statements = []ast.Node{
	(*ast.ExprStmt)(nil), (*ast.GoStmt)(nil), (*ast.DeferStmt)(nil),
	(*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil),
}

// targets returns the variables that take the results of a call, if n assigns those of one call.
func targets(n ast.Node) (lhs []ast.Expr, call *ast.CallExpr) {
	var rhs []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		lhs, rhs = n.Lhs, n.Rhs
	case *ast.ValueSpec:
		lhs, rhs = expressions(n.Names), n.Values
	}
	if len(rhs) != 1 || len(lhs) < 2 {
		return nil, nil
	}
	call, _ = ast.Unparen(rhs[0]).(*ast.CallExpr)
	return lhs, call
}

// variable returns the variable that e names, or nil.
func variable(info *types.Info, e ast.Expr) *types.Var {
	if id, ok := ast.Unparen(e).(*ast.Ident); ok {
		v, _ := info.ObjectOf(id).(*types.Var)
		return v
	}
	return nil
}
