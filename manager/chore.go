package manager

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
)

// chore is a call of the store that a keeper leaves to the goroutine of its caller, which has nothing to do but to wait for the
// answer: that saves two goroutine switches. It is done when the caller's message has been delivered, or not taken.
type chore struct{ slot atomic.Pointer[func()] }

// noChore stands in the slot when the caller has looked.
var noChore = new(func())

// offer reports whether the caller will do it.
func (c *chore) offer(f func()) bool { return c.slot.CompareAndSwap(nil, &f) }

// do does the chore if one was offered. Of offer and do, the first to come decides, and both know.
func (c *chore) do() {
	if f := c.slot.Swap(noChore); f != nil && f != noChore {
		(*f)()
	}
}

// lend has the caller do the call, if it can, and then gives the keeper what it returns, unless that is nil. What the call panics with
// is the keeper's, as if a task had done it.
func (k *keeper) lend(c *chore, call func() message) bool {
	return c.offer(func() {
		done := false
		defer func() {
			if !done {
				v := recover()
				k.mail.Go(func() message { panic(v) })
			}
		}()
		answer := call()
		done = true
		if answer != nil {
			k.mail.Deliver(answer)
		}
	})
}

// maxWary bounds how many grants have to come without a rival before the keeper tries again.
const maxWary = 64

// try has the request's own caller ask the store, if it looks as if the answer would be a grant: a caller cannot wait in the
// store's queue, since others may come to wait for the same grant. If the answer is busy the question was wasted, so the keeper
// is wary of the next.
func (k *keeper) try(r *request, q backends.Request) bool {
	if k.wary > 0 || r.ctx == nil {
		return false
	}
	ctx, cancel := context.WithCancel(r.ctx)
	a := &ask{last: k.uses, weight: r.weight, try: r.try, cancel: cancel}
	if !k.lend(&r.chore, func() message {
		defer cancel()
		g, err := k.m.store.TryAcquire(ctx, q)
		msg := &answered{ask: a, grant: g, err: err, tried: true}
		if err != nil && r.ctx.Err() != nil {
			msg.gone = r
		}
		return msg
	}) {
		cancel()
		return false
	}
	k.asking = a
	return true
}

// tried takes in what came of a try.
func (k *keeper) tried(err error) {
	if errors.Is(err, ErrBusy) {
		k.wary = min(2*k.setback+2, maxWary)
		k.setback = k.wary
	} else if err == nil {
		k.setback = 0
	}
}
