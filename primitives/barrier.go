package primitives

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrBroken is found by [errors.Is] in what Wait on a broken [Barrier] returns: a *[BrokenError].
var ErrBroken = errors.New("primitives: barrier broken")

// A BrokenError says why a [Barrier] is broken. All who waited get the same cause.
//
// [errors.Is] finds [ErrBroken] in it. In that of the party whose context ended, which broke
// the barrier, it finds ctx.Err() and the cause of ctx too; not in those of the others, whose
// contexts have not ended.
type BrokenError struct {
	// Cause is what broke the barrier: the error of the context of whoever gave up, or one that
	// says that it was Reset.
	Cause error
	own   bool // it is the receiver's own context that ended
}

func (e *BrokenError) Error() string { return ErrBroken.Error() + ": " + e.Cause.Error() }

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
// A round is passed by all or by nobody. If the context of one ends before the last has come,
// the barrier is broken: everybody who waits, and everybody who comes later, gets the same
// [BrokenError], until [Barrier.Reset].
//
// An arrival costs one compare-and-swap, a round two allocations of 144 bytes in all, which its
// parties share. At rest it costs 16 bytes and those, no goroutine, and needs no Close.
//
// In the terms of the Go memory model, the calls to Wait of a round are synchronized before the
// return of each of them that returns nil: after a round everybody sees what anybody did before.
type Barrier struct {
	_       noCopy
	parties int64
	phase   atomic.Pointer[phase]
}

// A phase is one round. Its missing says what has become of it.
//
//	                     Wait: the last one
//	┌─────────────────┐ ─────────────────► ┌──────────────┐
//	│ missing > 0     │                    │ 0: passed    │ ◄─ the next phase is in place
//	└─────────────────┘ ─────────────────► ├──────────────┤    before anybody hears of it
//	   ▲   │             ctx ends, Reset   │ -1: broken   │ ◄─ until Reset
//	   └───┘                               └──────────────┘
//	   Wait
//
// Every change is one compare-and-swap, so a round passes or breaks, and never both. Whoever
// made it the one or the other closes end, having written cause before if it is broken.
type phase struct {
	missing atomic.Int64
	end     chan struct{}
	cause   error // read after end only
}

const broken = -1

// NewBarrier returns a barrier for n parties. It panics if n < 1.
func NewBarrier(n int64) *Barrier {
	if n < 1 {
		panic("primitives: NewBarrier for less than one party")
	}
	b := &Barrier{parties: n}
	b.phase.Store(b.newPhase())
	return b
}

// current returns the phase that is in place. It panics if b is the zero value.
func (b *Barrier) current() *phase {
	p := b.phase.Load()
	if p == nil {
		panic("primitives: use of a zero Barrier: make it with NewBarrier")
	}
	return p
}

func (b *Barrier) newPhase() *phase {
	p := &phase{end: make(chan struct{})}
	p.missing.Store(b.parties)
	return p
}

// Wait waits until all parties have called it, the caller being one.
//
// Nil: all have come, and the caller is free to call it again for the next round. A
// *[BrokenError]: nobody has passed or will pass, and the barrier is broken until Reset. If
// ctx is done when Wait is called, the caller does not come, which breaks the barrier too.
//
// When ctx ends at the moment in which the last party comes, then either the round is passed, by
// everybody, and Wait returns nil although ctx is done; or it is broken, for everybody.
func (b *Barrier) Wait(ctx context.Context) error {
	b.current()
	if ctx == nil {
		return errNilContext
	}
	for {
		p := b.phase.Load()
		left := p.missing.Load()
		switch {
		case left == broken:
			<-p.end // at once: the cause is being written
			return &BrokenError{Cause: p.cause}
		case left == 0:
			b.next(p)
		case ctx.Err() != nil:
			if p.breakFor(contextError(ctx)) {
				return &BrokenError{Cause: p.cause, own: true}
			}
		case p.missing.CompareAndSwap(left, left-1):
			if left == 1 {
				b.next(p)
				close(p.end)
				return nil
			}
			return p.await(ctx)
		}
	}
}

// next puts the phase after p in place, unless somebody else has. Usually whoever came last to
// p does; one who comes before it has done so does not wait for that.
func (b *Barrier) next(p *phase) {
	if b.phase.Load() == p {
		b.phase.CompareAndSwap(p, b.newPhase())
	}
}

// await waits, after the caller has arrived, until p has ended.
func (p *phase) await(ctx context.Context) error {
	select {
	case <-p.end:
	case <-ctx.Done():
		// The round may have ended as well. What it ended as decides, and is the same for all.
		if p.breakFor(contextError(ctx)) {
			return &BrokenError{Cause: p.cause, own: true}
		}
		<-p.end // at once
	}
	if p.missing.Load() == broken {
		return &BrokenError{Cause: p.cause}
	}
	return nil
}

// breakFor breaks p, if it has not ended, and reports whether it did.
func (p *phase) breakFor(cause error) bool {
	for {
		left := p.missing.Load()
		if left <= 0 {
			return false
		}
		if p.missing.CompareAndSwap(left, broken) {
			p.cause = cause
			close(p.end)
			return true
		}
	}
}

// Reset mends a broken barrier: a new round begins. If parties wait, that round is broken for
// them, so that nobody is left in between. It never waits.
func (b *Barrier) Reset() {
	p := b.current()
	if p.missing.Load() == b.parties {
		return // nobody has come, nothing to mend
	}
	p.breakFor(errReset)
	b.next(p)
}

// IsBroken reports whether b is broken.
func (b *Barrier) IsBroken() bool { return b.current().missing.Load() == broken }
