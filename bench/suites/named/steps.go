package named

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// parts are the parts of an uncontended lease that can be measured alone.
func parts() harness.Case {
	const turns, clock, memory = "four turns of actors at rest", "three readings of the clock", "two allocations of its size"
	c := alone()
	return harness.Case{
		Name:   "one name, step by step",
		Models: "what the price of a lease is made of that nobody else wants",
		Sides: append(c.Sides[:2:2],
			harness.Side{Name: turns, Run: harness.Loop(fourTurns)},
			harness.Side{Name: clock, Run: harness.Loop(readings)},
			harness.Side{Name: memory, Run: harness.Loop(allocations)},
		),
		Checks: append(harness.Steps(backend, ours),
			harness.Steps(turns)[0], harness.Steps(clock)[0], harness.Steps(memory)[0]),
	}
}

// fourTurns are the keeper's and the store's, for an acquire and a release: the second of each pair is
// inside the first.
func fourTurns(_ context.Context, n int) error {
	sum := 0
	inner := actor.NewOnDemand("inner", func(m *int) { sum += *m }, func(*int, *actor.PanicError) {})
	outer := actor.NewOnDemand("outer", func(m *int) { inner.TryDeliver(m) }, func(*int, *actor.PanicError) {})
	one := 1
	for range n {
		outer.Deliver(&one)
		outer.Deliver(&one)
	}
	if sum != 2*n {
		return errCount
	}
	return nil
}

var errCount = errors.New("a message was lost")

// readings are as many as an acquire and a release make together.
func readings(_ context.Context, n int) error {
	for range n {
		a, b, c := time.Now(), time.Now(), time.Now()
		if c.Before(a) || c.Before(b) {
			return errCount
		}
	}
	return nil
}

// allocations are of the sizes of a request and a lease.
func allocations(_ context.Context, n int) error {
	for range n {
		request, lease = new([28]*int), new([14]*int)
	}
	if request == nil || lease == nil {
		return errCount
	}
	return nil
}

// What is allocated is kept here, or it would lie on the stack.
var (
	request *[28]*int
	lease   *[14]*int
)
