package linear

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Errors of Check.
var (
	ErrIllegal   = errors.New("linear: no order of the calls explains their answers")
	ErrUndecided = errors.New("linear: not decided in time") // proves nothing, so it counts as a failure
)

// Check looks for an order of the calls that explains their answers, for at most the given time. Without one it
// returns an error that wraps ErrIllegal or ErrUndecided and names the resource.
func Check(ops []Op, timeout time.Duration) error {
	byName := make(map[string][]Op)
	for _, op := range ops {
		byName[op.Name] = append(byName[op.Name], op)
	}
	deadline := time.Now().Add(timeout)
	for name, of := range byName {
		left := max(time.Until(deadline), time.Nanosecond) // zero would be for ever
		switch porcupine.CheckOperationsTimeout(model(), operations(of), left) {
		case porcupine.Ok:
		case porcupine.Illegal:
			return fmt.Errorf("%q, %d calls: %w", name, len(of), ErrIllegal)
		default:
			return fmt.Errorf("%q, %d calls: %w", name, len(of), ErrUndecided)
		}
	}
	return nil
}

// operations leaves out what changes nothing and tells nothing.
func operations(ops []Op) []porcupine.Operation {
	markCrowded(ops)
	chain(ops)
	var all []porcupine.Operation
	for _, op := range ops {
		switch {
		case op.Outcome == Failed,
			op.Outcome == Unknown && (op.Verb == Acquire || op.Verb == Try), // only makes others wait: they are crowded
			op.Outcome == Busy && op.crowded:
			continue
		case op.Outcome == Unknown:
			op.Return = math.MaxInt64
		}
		all = append(all, porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: op.Return})
	}
	return all
}

// chain gives every call that got tokens the last one given out before. Tokens increase, so they tell the only order in
// which these calls can have happened; without it the search would try very many.
func chain(ops []Op) {
	var minted []*Op
	for i := range ops {
		if op := &ops[i]; op.Outcome == OK && op.count() > 0 {
			minted = append(minted, op)
		}
	}
	slices.SortStableFunc(minted, func(a, b *Op) int { return cmp.Compare(a.Token, b.Token) })
	last := uint64(0)
	for _, op := range minted {
		op.after = last
		last = op.Token + uint64(op.count()) - 1
	}
}

// markCrowded finds the tries that were refused while another request of the name was under way, which may have been in
// the queue before it.
func markCrowded(ops []Op) {
	var requests []Op // acquires, by their call; a try never queues
	for _, op := range ops {
		if op.Verb == Acquire || op.Verb == Try && op.Outcome == Unknown {
			if op.Outcome == Unknown {
				op.Return = math.MaxInt64
			}
			requests = append(requests, op)
		}
	}
	slices.SortFunc(requests, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	latest := make([]int64, len(requests)) // the latest return of all up to here
	last := int64(math.MinInt64)
	for i, r := range requests {
		last = max(last, r.Return)
		latest[i] = last
	}
	for i := range ops {
		op := &ops[i]
		n, _ := slices.BinarySearchFunc(requests, op.Return+1, func(r Op, at int64) int { return cmp.Compare(r.Call, at) })
		op.crowded = op.Outcome == Busy && n > 0 && latest[n-1] >= op.Call
	}
}
