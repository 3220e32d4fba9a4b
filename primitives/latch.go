package primitives

import (
	"context"
	"sync/atomic"
)

// A Latch opens when it has been counted down to zero, and then stays open: what
// [sync.WaitGroup] is for, with a context, and with a count that only falls. Make a Latch with
// [NewLatch]; the methods of the zero value panic. It must not be copied after first use; its
// methods may be called by any goroutine.
//
// CountDown costs one compare-and-swap, Wait on an open latch one load. A waiter shares
// one channel with all the others: no queue, nothing left by a wait that is given up. It costs
// 16 bytes, no goroutine, and needs no Close.
//
// In the terms of the Go memory model, every CountDown is synchronized before every Wait that
// returns nil: a goroutine that passes sees what was done before each of them.
type Latch struct {
	_     noCopy
	count atomic.Int64 // ^n with n left to count down, so that only a zero Latch has 0
	open  Event
}

// NewLatch returns a latch that opens when it has been counted down n times. With n = 0 it is
// open. It panics if n < 0.
func NewLatch(n int64) *Latch {
	if n < 0 {
		panic("primitives: NewLatch with a negative count")
	}
	l := &Latch{}
	l.count.Store(^n)
	return l
}

// left returns the count. It panics if l is the zero value.
func (l *Latch) left() int64 {
	n := l.count.Load()
	if n == 0 {
		panic("primitives: use of a zero Latch: make it with NewLatch")
	}
	return ^n
}

// CountDown takes n from the count, and opens the latch when none is left. It never waits. It
// panics if n < 0 or the count would be less than zero, and has then changed nothing.
func (l *Latch) CountDown(n int64) {
	if n < 0 {
		panic("primitives: CountDown of a Latch by a negative number")
	}
	for {
		have := l.left()
		if n > have {
			panic("primitives: CountDown of a Latch below zero")
		}
		if l.count.CompareAndSwap(^have, ^(have - n)) {
			if have == n {
				l.open.Set()
			}
			return
		}
	}
}

// Count returns how much is left to count down. With 0 the latch is open.
func (l *Latch) Count() int64 { return l.left() }

// Wait waits until the latch is open.
//
// Nil: it is. An error: ctx is done, [errors.Is] finds ctx.Err() in the error, and its text has
// the cause of ctx. If ctx is done, Wait fails, even if the latch is open. A wait takes nothing,
// so nothing is left.
func (l *Latch) Wait(ctx context.Context) error {
	if l.left() == 0 && ctx != nil && ctx.Err() == nil {
		return nil
	}
	// Should the count reach zero now, open will be set by the CountDown that took the last of it.
	return l.open.Wait(ctx)
}

// C returns a channel that is closed when the latch is open, so that it can be one case of
// a select.
func (l *Latch) C() <-chan struct{} {
	if l.left() == 0 {
		return over.end
	}
	return l.open.C()
}
