package primitives

import (
	"context"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// An Event is a flag that goroutines wait for: set, it lets all through; reset, it makes newcomers
// wait. The zero value is not set. An Event must not be copied after first use; its methods may be
// called by any goroutine.
//
// Set and Reset cost one atomic operation each, and so does a Wait for an event that is set. Who
// has to wait shares one channel with all the others: no queue, nothing left by a wait that is
// given up. At rest it costs 8 bytes, no goroutine, and needs no Close.
//
// In the terms of the Go memory model, a Set is synchronized before every Wait that returns nil
// because of it, and before every IsSet that returns true because of it.
type Event struct {
	_     noCopy
	state atomic.Pointer[round] // nil: not set, no waiters; over: set; else the waiters
}

// A round is what the goroutines wait for that came between a Reset and a Set. All are woken at
// once, in no order, so there is no keeper here: a closed channel is the message, and a waiter that
// gives up stops listening.
//
// So a round may outlive the testing/synctest bubble in which its channel was made. It then has no
// waiters, and the first caller from elsewhere replaces it. Outside all bubbles there may still be
// waiters, so a round made in a bubble keeps the one from outside.
type round struct {
	end     chan struct{}
	bubble  uint64 // in which end was made, see bubbles.ID
	outside *round // of a round in a bubble: the round outside, or nil
}

// here returns the round in which the caller waits while r is the present one: r itself, unless r
// is nil or belongs to another bubble.
func (r *round) here() *round {
	id := bubbles.ID()
	outside := r
	switch {
	case r == over || r != nil && r.bubble == id:
		return r
	case r != nil && r.bubble != 0:
		outside = r.outside
	}
	if id == 0 && outside != nil {
		return outside
	}
	return &round{make(chan struct{}), id, outside}
}

// wake closes the channels of r that may have waiters.
func (r *round) wake() {
	if r.bubble == bubbles.ID() {
		close(r.end)
	}
	if r.outside != nil {
		close(r.outside.end)
	}
}

// over is the round of every event that is set.
var over = &round{end: func() chan struct{} { c := make(chan struct{}); close(c); return c }()}

// Set sets e, and wakes all waiters. They pass, even if e is reset before they have
// awoken. Setting an event that is set changes nothing. It never waits.
func (e *Event) Set() {
	// A swap, also when e is set already: goroutines that pass later then see what was before this
	// Set.
	if r := e.state.Swap(over); r != nil && r != over {
		r.wake() // no other Set has swapped r out
	}
}

// Reset makes newcomers wait until the next Set. Goroutines that wait already go on waiting.
// It never waits. Resetting an event that is not set changes nothing.
func (e *Event) Reset() { e.state.CompareAndSwap(over, nil) }

// IsSet reports whether e is set.
func (e *Event) IsSet() bool { return e.state.Load() == over }

// Wait waits until e is set.
//
// Nil: e was set when Wait was called, or has been since; it may have been reset meanwhile. An
// error: ctx is done, [errors.Is] finds ctx.Err() in the error, and its text has the cause of
// ctx. If ctx is done, Wait fails, even if e is set. A wait takes nothing, so nothing is left.
func (e *Event) Wait(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	if e.IsSet() && ctx.Err() == nil {
		return nil
	}
	select {
	case <-e.C():
	case <-ctx.Done():
	}
	// In a tie the context wins, whichever the select took. Others pass all the same.
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return nil
}

// C returns a channel that is closed when e is set: at once, or by the next Set. So an event can
// be one case of a select. After a Reset, call C again.
func (e *Event) C() <-chan struct{} {
	for {
		was := e.state.Load()
		if r := was.here(); r == was || e.state.CompareAndSwap(was, r) {
			return r.end
		}
	}
}
