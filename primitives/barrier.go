package primitives

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrBroken is found by [errors.Is] in what Wait on a broken [Barrier] returns: a *[BrokenError].
var ErrBroken = errors.New("primitives: barrier broken")

// A BrokenError says why a [Barrier] is broken. All waiters get the same cause.
//
// [errors.Is] finds [ErrBroken] in it. The party whose context ended, and so broke the barrier, finds
// ctx.Err() and the cause of ctx in its error, too. The other parties do not, since their contexts
// have not ended.
type BrokenError struct {
	// Cause is what broke the barrier: the error of the context of the waiter that gave up, or one
	// that says that it was Reset.
	Cause error
	own   bool // it is the receiver's own context that ended
}

func (e *BrokenError) Error() string {
	if e.Cause == nil {
		return ErrBroken.Error()
	}
	return ErrBroken.Error() + ": " + e.Cause.Error()
}

// Unwrap returns what [errors.Is] looks into.
func (e *BrokenError) Unwrap() []error {
	if e.own {
		return []error{ErrBroken, e.Cause}
	}
	return []error{ErrBroken}
}

var errReset = errors.New("it was reset")

// A Barrier lets a fixed number of parties wait for each other: when all are there, all
// pass, and the next round begins. Make a Barrier with [NewBarrier]; the methods of the zero value
// panic. It must not be copied after first use; its methods may be called by any goroutine.
//
// A round is passed by all or by none. If the context of one ends before the last has come,
// the barrier is broken: all waiters, and all that come later, get the same
// [BrokenError], until [Barrier.Reset].
//
// An arrival costs one compare-and-swap, a round two allocations of 144 bytes in all, which its
// parties share. At rest it costs 16 bytes, no goroutine, and needs no Close.
//
// In the terms of the Go memory model, the calls to Wait of a round are synchronized before the
// return of each of them that returns nil: after a round each party sees what the others did
// before.
type Barrier struct {
	_       noCopy
	parties int64
	phase   atomic.Pointer[phase] // nil until the first party of a round comes
}

// A phase is one round. Its missing says what has become of it.
//
//	 first party                 Wait: last party
//	──────────────► ┌─────────────┐ ───────────► ┌───────────┐
//	                │ missing > 0 │              │ 0: passed │ ◄─ out of the barrier before
//	                └─────────────┘ ───────────► ├───────────┤    any party hears of it
//	                   ▲   │      ctx ends,      │ -1: broken│ ◄─ until Reset
//	                   └───┘      Reset          └───────────┘
//	                   Wait
//
// Every change is one compare-and-swap, so a round passes or breaks, and never both. The party that
// makes the change closes end. The first party makes the phase and its channel. A channel made in a
// testing/synctest bubble belongs to the bubble, and only waiting parties touch it.
type phase struct {
	missing atomic.Int64
	end     chan struct{}
	cause   atomic.Pointer[error] // of the first attempt to break it; counts only if it is broken
}

const broken = -1

// NewBarrier returns a barrier for n parties. It panics if n < 1.
func NewBarrier(n int64) *Barrier {
	if n < 1 {
		panic("primitives: NewBarrier for less than one party")
	}
	return &Barrier{parties: n}
}

// made panics if b is the zero value.
func (b *Barrier) made() {
	if b.parties == 0 {
		panic("primitives: use of a zero Barrier: make it with NewBarrier")
	}
}

// current returns the phase in place, or makes one. It returns nil if another party was faster.
func (b *Barrier) current() *phase {
	p := b.phase.Load()
	if p != nil {
		return p
	}
	p = &phase{end: make(chan struct{})}
	p.missing.Store(b.parties)
	if b.phase.CompareAndSwap(nil, p) {
		return p
	}
	return nil // another party made the phase, which may be out again
}

// Wait waits until all parties have called it, the caller being one.
//
// Nil: all have come, and the caller is free to call it again for the next round. A
// *[BrokenError]: no party has passed or will pass, and the barrier is broken until Reset. If
// ctx is done when Wait is called, the caller does not come, which breaks the barrier too.
//
// When ctx ends at the moment in which the last party comes, then either the round is passed, by
// all, and Wait returns nil although ctx is done; or it is broken, for all.
func (b *Barrier) Wait(ctx context.Context) error {
	b.made()
	if ctx == nil {
		return errNilContext
	}
	for {
		p := b.current()
		if p == nil {
			continue
		}
		left := p.missing.Load()
		switch {
		case left == broken:
			return p.failure(nil)
		case left == 0:
			b.remove(p)
		case ctx.Err() != nil:
			if mine := contextError(ctx); p.breakFor(&mine) {
				return p.failure(&mine)
			}
		case p.missing.CompareAndSwap(left, left-1):
			if left == 1 {
				b.remove(p)
				close(p.end)
				return nil
			}
			return p.await(ctx)
		}
	}
}

// remove takes p out of the barrier, unless another party has. Usually the last party of p does; a
// party that comes for the next round first does it itself.
func (b *Barrier) remove(p *phase) { b.phase.CompareAndSwap(p, nil) }

// await waits, after the caller has arrived, until p has ended.
func (p *phase) await(ctx context.Context) error {
	select {
	case <-p.end:
	case <-ctx.Done():
		// The round may have ended as well. What it ended as decides, and is the same for all.
		if mine := contextError(ctx); p.breakFor(&mine) {
			return p.failure(&mine)
		}
		return nil
	}
	if p.missing.Load() == broken {
		return p.failure(nil)
	}
	return nil
}

// breakFor breaks p unless it has passed, and reports whether it is broken. The cause is stored
// before p is broken. If several parties break p at once, the cause of the first counts, whichever
// of them breaks it.
func (p *phase) breakFor(cause *error) bool {
	for {
		left := p.missing.Load()
		if left <= 0 {
			return left == broken
		}
		p.cause.CompareAndSwap(nil, cause)
		if p.missing.CompareAndSwap(left, broken) {
			close(p.end)
			return true
		}
	}
}

// failure returns the error of a broken p for a party; mine is the party's own cause, or nil.
func (p *phase) failure(mine *error) error {
	cause := p.cause.Load()
	return &BrokenError{Cause: *cause, own: cause == mine}
}

// Reset mends a broken barrier: a new round begins. If parties wait, that round is broken for
// them, so that no party is left in between. It never waits.
func (b *Barrier) Reset() {
	b.made()
	if p := b.phase.Load(); p != nil {
		p.breakFor(&errReset)
		b.remove(p)
	}
}

// IsBroken reports whether b is broken.
func (b *Barrier) IsBroken() bool {
	b.made()
	p := b.phase.Load()
	return p != nil && p.missing.Load() == broken
}
