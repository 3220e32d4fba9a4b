package passes

import (
	"fmt"
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// DroppedClaim reports claims, and other descriptions of locks, that nothing acquires.
var DroppedClaim = &analysis.Analyzer{
	Name: "droppedclaim",
	Doc: `report claims that nothing acquires

A claim says what is wanted. It holds nothing until Acquire, TryAcquire or Do. The statement

	locks.Lock("report")

reads as if it locked, and does nothing. The analyzer reports a call whose result is dropped, or
assigned to the blank identifier, if the result is a manager.Claim, RWLock or Semaphore, the
Election of a manager, a primitive that a constructor of package primitives has made, or the
sync.Locker of one.

It does not follow variables: a claim that is kept and never acquired is not reported. Nor is a
constructor at the end of a function literal, as in a test that expects a panic.`,
	URL:      "https://pkg.go.dev/" + library + "cmd/lockkeeper-vet/passes#DroppedClaim",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      runDroppedClaim,
}

func runDroppedClaim(pass *analysis.Pass) (any, error) {
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.WithStack(statements, func(n ast.Node, push bool, stack []ast.Node) bool {
		discarded(n, func(call *ast.CallExpr, _ bool) {
			why := describes(pass.TypesInfo, call)
			if why == "" && !endsLiteral(stack) {
				why = guards(pass.TypesInfo, call)
			}
			if push && why != "" {
				pass.Reportf(call.Pos(), "%s %s", types.ExprString(call), why)
			}
		})
		return true
	})
	return nil, nil
}

// describes returns what to do instead of dropping the result of call, if that only describes what
// to acquire.
func describes(info *types.Info, call *ast.CallExpr) string {
	const message = "only describes a %s and locks nothing: call Acquire or Do on %s"
	if info.Types[call.Fun].IsType() {
		return ""
	}
	switch typeName(info.TypeOf(call)) {
	case "manager.Claim":
		return fmt.Sprintf(message, "claim", "it")
	case "manager.RWLock":
		return fmt.Sprintf(message, "lock", "its Read() or Write()")
	case "manager.Semaphore":
		return fmt.Sprintf(message, "semaphore", "its Permits(n)")
	}
	return ""
}

// guards returns what to do instead of dropping the result of call, if that is an in-process lock or
// an election.
func guards(info *types.Info, call *ast.CallExpr) string {
	switch calleeName(info, call) {
	case "primitives.NewSemaphore", "primitives.NewWeighted", "primitives.NewCond",
		"primitives.NewLatch", "primitives.NewBarrier":
		return "is dropped and guards nothing: keep it where all who use it find it"
	case "manager.Manager.Election":
		return "only describes an election and leads nothing: call Lead on it"
	case "primitives.Mutex.Locker", "primitives.RWMutex.Locker", "primitives.RWMutex.RLocker":
		return "only returns a sync.Locker and locks nothing: call Lock(ctx) on the mutex"
	}
	return ""
}
