package inprocess

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// mutexSteps builds a lock up to ours, one step after the other.
func mutexSteps() harness.Case {
	const swaps, look, call = "two swaps of a word", "and a look at the context", "and a call"
	return harness.Case{
		Name:   "Mutex, step by step",
		Models: "what the price of a lock is made of that nobody else wants",
		Sides: []harness.Side{
			{Name: swaps, Run: harness.Loop(func(_ context.Context, n int) error {
				var w atomic.Uint64
				for range n {
					if !w.CompareAndSwap(0, 1) || !w.CompareAndSwap(1, 0) {
						return errTaken
					}
				}
				return nil
			})},
			{Name: look, Run: harness.Loop(func(ctx context.Context, n int) error {
				var w atomic.Uint64
				for range n {
					if err := ctx.Err(); err != nil {
						return err
					}
					if !w.CompareAndSwap(0, 1) || !w.CompareAndSwap(1, 0) {
						return errTaken
					}
				}
				return nil
			})},
			{Name: call, Run: harness.Loop(func(ctx context.Context, n int) error {
				var w atomic.Uint64
				for range n {
					if err := take(ctx, &w); err != nil {
						return err
					}
					if !w.CompareAndSwap(1, 0) {
						return errTaken
					}
				}
				return nil
			})},
			{Name: ours, Run: harness.Loop(oursAlone)},
			{Name: stdlib, Run: harness.Loop(stdlibAlone)},
		},
		Checks: append(harness.Steps(swaps, look, call, ours), harness.Steps(swaps, stdlib)[1]),
	}
}

var errTaken = errors.New("the word is not as it was left")

// take is a Lock without a queue.
//
//go:noinline
func take(ctx context.Context, w *atomic.Uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.CompareAndSwap(0, 1) {
		return errTaken
	}
	return nil
}
