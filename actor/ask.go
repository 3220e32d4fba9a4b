package actor

import (
	"context"
	"fmt"
)

// Ask sends the message that build makes around a reply, and waits for the answer.
//
// Success: the value the handler sent. If the answer came first, the asker gets it although
// ctx is done; what a handler has given away is never lost. Failure: nothing was given. The error
// is the context's (a deferred ask is then taken back and the actor told; one still in the
// mailbox will not be handled), [ErrStopped] if the actor takes no more messages or ends
// first, [ErrNoReply] if it will never answer, the handler's own error, or its [*PanicError].
// A context already done loses: nothing is sent. A nil context or build is an error.
//
// What happened before Ask is visible to the handler, and what happened before the answer
// to its receiver. An ask costs two goroutine switches and allocates nothing in steady state.
//
// A handler that asks its own actor can never be answered. With the context it was
// given it gets ErrNoReply at once; with another one it waits until that is done. So that
// context is for the handler itself: a task has its own.
func Ask[M, R any](ctx context.Context, to Ref[M], build func(Reply[R]) M) (R, error) {
	var none R
	c := to.cell
	if c == nil {
		return none, ErrStopped
	}
	if ctx == nil || ctx.Err() != nil {
		return none, ctxError(ctx)
	}
	if asking, _ := ctx.Value(turnKey{}).(*core); asking == &c.core {
		return none, fmt.Errorf("%w: %s asks itself", ErrNoReply, c.name)
	}
	if build == nil {
		return none, errNoBuild
	}
	if c.away() {
		return none, c.errAway()
	}
	pool := slotsFor[R](&c.core)
	s, t := newSlot[R](pool, &c.core)
	if err := c.send(ctx, envelope[M]{build(Reply[R]{s, t.gen}), &s.slotHead}); err != nil {
		if _, won := t.win(cancelled); won {
			return none, err
		}
		<-t.slot.ready // build gave the reply to another goroutine, which has answered: see await
	} else if !t.await(ctx) {
		return none, ctxError(ctx) // the slot is not used again: the message still points to it
	}
	v, err := s.value, s.err
	if s.word.Load()&taken != 0 {
		s.recycle(pool, t)
	}
	return v, err
}

// await waits for the answer and reports whether there is one. If the answer and the end of ctx are
// both there, the select may pick either; but the swap on the word decides, and if the answer has
// won it, it is waited for, which is the moment between its swap and its send.
func (t turn) await(ctx context.Context) bool {
	done := ctx.Done()
	if done == nil {
		<-t.slot.ready
		return true
	}
	select {
	case <-t.slot.ready:
		return true
	case <-done:
	}
	from, won := t.win(cancelled)
	if !won {
		<-t.slot.ready
		return true
	}
	if from == deferred {
		t.slot.tellCancelled()
	}
	return false
}
