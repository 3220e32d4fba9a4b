package actor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// The states of one use of a reply slot, in the low bits of its word; the use's generation
// is in the rest. One compare-and-swap on the word decides between answer and cancel.
//
//	          Defer                      recycled, next generation
//	pending ─────────► deferred        ┌──────────────► pending
//	   │  Send, Fail    │              │
//	   ├────────────────┴───────► answered
//	   │ ctx done       │ ctx done
//	   └────────────────┴───────► cancelled (for good: the handler may still look at it)
const (
	pending uint64 = iota
	answered
	cancelled
	deferred
	stateBits = 2
	stateMask = 1<<stateBits - 1
)

// A slotHead is the part of a reply slot that does not depend on the type of the reply.
type slotHead struct {
	word     atomic.Uint64
	ready    chan struct{} // of capacity 1, so that an answer never blocks
	err      error         // the answer, if it is an error; written between the deciding swap and ready
	target   *core
	onCancel func() // written before deferred
}

// A slot is where an asker waits. Its channel belongs to one actor, so that a slot made
// inside a testing/synctest bubble never serves outside it.
type slot[R any] struct {
	slotHead
	value R
}

// open reports whether the asker still waits.
func (t turn) open() bool {
	w := t.slot.word.Load()
	return w>>stateBits == t.gen && (w&stateMask == pending || w&stateMask == deferred)
}

// win decides the use for state to, if it is still undecided.
func (t turn) win(to uint64) bool {
	for {
		w := t.slot.word.Load()
		if w>>stateBits != t.gen || w&stateMask == answered || w&stateMask == cancelled {
			return false
		}
		if t.slot.word.CompareAndSwap(w, t.gen<<stateBits|to) {
			return true
		}
	}
}

// fail answers with an error.
func (t turn) fail(err error) bool {
	if !t.win(answered) {
		return false
	}
	t.slot.err = err
	t.slot.ready <- struct{}{}
	return true
}

// settle answers with an error unless the use was deferred or is decided.
func (t turn) settle(err error) {
	if t.slot.word.CompareAndSwap(t.gen<<stateBits|pending, t.gen<<stateBits|answered) {
		t.slot.err = err
		t.slot.ready <- struct{}{}
	}
}

// A slotPool holds the free slots of one actor for one type of reply.
type slotPool struct {
	key  any // (*R)(nil)
	next *slotPool
	pool sync.Pool // of *slot[R]
}

// slotsFor finds the pool for replies of type R in a list that is as long as the actor
// has reply types.
func slotsFor[R any](c *core) *sync.Pool {
	key := any((*R)(nil))
	for {
		first := c.slots.Load()
		for p := first; p != nil; p = p.next {
			if p.key == key {
				return &p.pool
			}
		}
		if p := (&slotPool{key: key, next: first}); c.slots.CompareAndSwap(first, p) {
			return &p.pool
		}
	}
}

// Ask sends the message that build makes around a reply, and waits for the answer.
//
// Success: the value the handler sent. If the answer came first, the asker gets it although
// ctx is done; what a handler has given away is never lost. Failure: nothing was given:
// the context's error (a deferred ask is taken back and the actor told), [ErrStopped]
// if the actor takes no more messages or ends first, [ErrNoReply] if it will never answer, the handler's
// own error, or its [*PanicError]. A context already done loses: nothing is sent.
//
// Whatever happened before Ask happens before the handling, and that before Ask returns. An
// ask costs two goroutine switches and allocates nothing in steady state.
//
// A handler that asks its own actor can never be answered. With the context it was
// given, it is told so at once (ErrNoReply); with another one it waits until that is done.
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
	s, _ := pool.Get().(*slot[R])
	if s == nil {
		s = &slot[R]{slotHead: slotHead{ready: make(chan struct{}, 1), target: &c.core}}
	}
	gen := s.word.Load() >> stateBits
	if err := c.send(ctx, envelope[M]{build(Reply[R]{s, gen}), turn{&s.slotHead, gen}}); err != nil {
		s.recycle(pool, gen) // nobody has it but build's message, whose reply is now stale
		return none, err
	}
	if !s.await(ctx, gen) {
		return none, ctxError(ctx) // the slot is not used again: the message still points to it
	}
	v, err := s.value, s.err
	s.recycle(pool, gen)
	return v, err
}

// await waits for the answer and reports whether there is one. If both are ready, either
// may be picked; the swap decides, and if the answer has won it is awaited, which is the
// moment between its swap and its send.
func (s *slot[R]) await(ctx context.Context, gen uint64) bool {
	done := ctx.Done()
	if done == nil {
		<-s.ready
		return true
	}
	select {
	case <-s.ready:
		return true
	case <-done:
	}
	if !s.cancel(gen) {
		<-s.ready
		return true
	}
	return false
}

// cancel takes the ask back, and tells the actor if it has deferred it.
func (s *slot[R]) cancel(gen uint64) bool {
	if s.word.CompareAndSwap(gen<<stateBits|pending, gen<<stateBits|cancelled) {
		return true
	}
	if s.word.CompareAndSwap(gen<<stateBits|deferred, gen<<stateBits|cancelled) {
		s.tellCancelled()
		return true
	}
	return false
}

// tellCancelled has the actor run what the handler gave to Defer.
func (h *slotHead) tellCancelled() {
	onCancel := h.onCancel
	if onCancel == nil {
		return
	}
	h.target.post(&signal{call: func(over bool) error {
		if !over {
			onCancel()
		}
		return nil
	}})
}

// recycle makes every reply of this generation stale and frees the slot.
func (s *slot[R]) recycle(pool *sync.Pool, gen uint64) {
	var none R
	s.value, s.err, s.onCancel = none, nil, nil
	s.word.Store((gen + 1) << stateBits)
	pool.Put(s)
}

// A Reply is the handler's end of one ask, a small value made to travel in a message. It
// may be used by any goroutine. The zero Reply has no asker.
type Reply[R any] struct {
	slot *slot[R]
	gen  uint64
}

// Send answers. True: the asker gets v, even if its context is done by now. False: it gets
// nothing, for it has gone or was answered before; undo what v gave. Send never blocks.
func (r Reply[R]) Send(v R) bool {
	if r.slot == nil || !r.turn().win(answered) {
		return false
	}
	r.slot.value = v
	r.slot.ready <- struct{}{}
	return true
}

// Fail answers with an error, which Ask returns as it is. Like Send it reports
// whether the asker gets it. A nil err answers with the zero value.
func (r Reply[R]) Fail(err error) bool { return r.slot != nil && r.turn().fail(err) }

func (r Reply[R]) turn() turn { return turn{&r.slot.slotHead, r.gen} }

// Defer says that the answer will come after the handler has returned. It must be called
// by the handler of the ask, before that returns. If the asker goes first, onCancel (unless nil) is called on
// the actor's goroutine, once, between two messages and ahead of the mailbox, however full;
// after it, and as soon as the asker's context has won, Send reports false. When the actor ends or
// restarts, an ask still deferred fails, without onCancel.
func (r Reply[R]) Defer(onCancel func()) {
	if r.slot == nil {
		return
	}
	h, c := &r.slot.slotHead, r.slot.target
	w := h.word.Load()
	if w>>stateBits != r.gen {
		return
	}
	switch w & stateMask {
	case pending:
		h.onCancel = onCancel
		if h.word.CompareAndSwap(w, r.gen<<stateBits|deferred) {
			c.deferred = append(prune(c.deferred, turn.open), r.turn())
			return
		}
		if h.word.Load() == r.gen<<stateBits|cancelled {
			h.tellCancelled()
		}
	case cancelled:
		h.onCancel = onCancel
		h.tellCancelled()
	}
}
