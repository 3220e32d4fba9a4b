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
// A context already done loses: nothing is sent.
//
// What happened before Ask is visible to the handler, and what happened before the answer
// to whoever gets it. An ask costs two goroutine switches and allocates nothing in steady state.
//
// A handler that asks its own actor can never be answered. With the context it was
// given it is told so at once (ErrNoReply); with another one it waits until that is done.
func Ask[M, R any](ctx context.Context, to Ref[M], build func(Reply[R]) M) (R, error) {
	var none R
	c := to.cell
	if c == nil {
		return none, ErrStopped
	}
	if ctx.Err() != nil {
		return none, ctxError(ctx)
	}
	if asking, _ := ctx.Value(turnKey{}).(*core); asking == &c.core {
		return none, fmt.Errorf("%w: %s asks itself", ErrNoReply, c.name)
	}
	pool := slotsFor[R](&c.core)
	s, t := newSlot[R](pool, &c.core)
	if err := c.send(ctx, envelope[M]{build(Reply[R]{s, t.gen}), &s.slotHead}); err != nil {
		s.recycle(pool, t) // only what build made has it, and that reply is now stale
		return none, err
	}
	if !t.await(ctx) {
		return none, ctxError(ctx) // the slot is not used again: the message still points to it
	}
	v, err := s.value, s.err
	if s.word.Load()&taken != 0 {
		s.recycle(pool, t)
	}
	return v, err
}

// await waits for the answer and reports whether there is one. If the answer and the end of
// ctx are both there, the select may pick either; but the swap on the word decides,
// and if the answer has won it, it is waited for, which is the moment between its swap and its send.
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

// A Reply is the handler's end of one ask, a small value made to travel in a message. It
// may be used by any goroutine, but for Defer. The zero Reply has no asker.
type Reply[R any] struct {
	slot *slot[R]
	gen  uint64
}

// Send answers. True: the asker gets v, even if its context is done by now. False: it gets
// nothing, for it has gone or was answered before; undo what v gave. Send never blocks.
func (r Reply[R]) Send(v R) bool {
	if r.slot == nil {
		return false
	}
	if _, won := r.turn().win(answered); !won {
		return false
	}
	r.slot.value = v
	r.slot.ready <- struct{}{}
	return true
}

// Fail answers with an error, which Ask returns as it is. Like Send it reports whether
// the asker gets it. A nil err answers with the zero value.
func (r Reply[R]) Fail(err error) bool { return r.slot != nil && r.turn().fail(err) }

func (r Reply[R]) turn() turn { return turn{&r.slot.slotHead, r.gen} }

// Defer says that the answer will come after the handler has returned. It must be called
// by the handler of the ask, before that returns. If the asker goes first, onCancel (unless
// nil) is called on the actor's goroutine, once, between two messages and ahead of the
// mailbox, however full; Send has reported false since the asker went. If the actor ends or
// restarts, an ask still deferred fails, without onCancel. A Defer of a reply
// already answered does nothing.
func (r Reply[R]) Defer(onCancel func()) {
	if r.slot == nil {
		return
	}
	h, c := &r.slot.slotHead, r.slot.target
	w := h.word.Load()
	if w>>genShift != r.gen {
		return
	}
	if w&stateMask == pending {
		h.onCancel = onCancel
		if h.word.CompareAndSwap(w, w|deferred) {
			c.deferred = append(prune(c.deferred, turn.open), r.turn())
			return
		}
		w = h.word.Load()
	}
	if w>>genShift == r.gen && w&stateMask == cancelled { // such a slot is never used again
		h.onCancel = onCancel
		h.tellCancelled()
	}
}
