package actor

import (
	"sync"
	"sync/atomic"
)

// The word of a reply slot says how one use of it stands; the use's generation is in its high
// bits. One compare-and-swap on the word decides between answer and cancel.
//
//	          Defer                      recycled, next generation
//	pending ─────────► deferred        ┌──────────────► pending
//	   │  Send, Fail    │              │
//	   ├────────────────┴───────► answered
//	   │ ctx done       │ ctx done
//	   └────────────────┴───────► cancelled (for good: the handler may still look at it)
//
// The bit taken says beside it that the message has left the mailbox. A slot whose message
// may still be queued is not recycled, so an envelope needs no generation.
const (
	pending uint64 = iota
	answered
	cancelled
	deferred

	stateMask uint64 = 3
	taken     uint64 = 4
	genShift         = 3
)

// A slotHead is the part of a reply slot that does not depend on the type of the reply.
type slotHead struct {
	word     atomic.Uint64
	ready    chan struct{} // of capacity 1, so that an answer never blocks
	err      error         // the answer, if it is an error; written between the deciding swap and ready
	target   *core
	deferral deferral // only written by Defer, thus by the actor's goroutine; stands while deferred
}

// A deferral is what Defer was told.
type deferral struct {
	use      uint64 // generation + 1, so that the zero value is none
	life     int    // of the actor
	onCancel func()
}

// A turn names one use of a reply slot.
type turn struct {
	slot *slotHead
	gen  uint64
}

// turn gives the present use. Only for a caller that knows that the slot is not recycled meanwhile.
func (h *slotHead) turn() turn { return turn{h, h.word.Load() >> genShift} }

// take notes that the message has left the mailbox, and reports false if the asker has gone.
func (h *slotHead) take() (turn, bool) {
	for {
		w := h.word.Load()
		t := turn{h, w >> genShift}
		switch w & stateMask {
		case cancelled:
			return t, false
		case answered: // not by the actor; there is still a message to handle
			return turn{}, true
		}
		if h.word.CompareAndSwap(w, w|taken) {
			return t, true
		}
	}
}

// open reports whether the asker still waits.
func (t turn) open() bool { return t.undecided(t.slot.word.Load()) }

func (t turn) undecided(w uint64) bool {
	return w>>genShift == t.gen && (w&stateMask == pending || w&stateMask == deferred)
}

// win decides the use, for to, if it is still undecided; from is the state it was in.
func (t turn) win(to uint64) (from uint64, won bool) {
	for {
		w := t.slot.word.Load()
		if !t.undecided(w) {
			return w & stateMask, false
		}
		if t.slot.word.CompareAndSwap(w, w&^stateMask|to) {
			return w & stateMask, true
		}
	}
}

// fail answers with an error.
func (t turn) fail(err error) bool {
	if _, won := t.win(answered); !won {
		return false
	}
	t.slot.err = err
	t.slot.ready <- struct{}{}
	return true
}

// settle answers with an error unless the use was deferred or is decided. It looks before it swaps:
// mostly the use is decided, and a swap that must fail still takes the word away from the asker's
// processor.
func (t turn) settle(err error) {
	at := t.gen<<genShift | taken
	if t.slot.word.Load() == at|pending && t.slot.word.CompareAndSwap(at|pending, at|answered) {
		t.slot.err = err
		t.slot.ready <- struct{}{}
	}
}

// tellCancelled has the actor run what the handler gave to Defer.
func (h *slotHead) tellCancelled() {
	c, d := h.target, h.deferral
	if d.onCancel == nil {
		return
	}
	c.post(&signal{call: func(over bool) error {
		if !over && d.life == c.life() { // else the state that onCancel would put right is gone
			d.onCancel()
		}
		return nil
	}})
}

// A slot is where an asker waits. Its channel belongs to one actor and is used only in the synctest
// bubble of that actor.
type slot[R any] struct {
	slotHead
	value R
}

// newSlot takes a slot from the pool.
func newSlot[R any](pool *sync.Pool, target *core) (s *slot[R], t turn) {
	s, _ = pool.Get().(*slot[R])
	if s == nil {
		s = &slot[R]{slotHead: slotHead{ready: make(chan struct{}, 1), target: target}}
	}
	return s, s.turn()
}

// recycle makes every reply of this generation stale and frees the slot.
func (s *slot[R]) recycle(pool *sync.Pool, t turn) {
	var none R
	s.value, s.err = none, nil
	s.word.Store((t.gen + 1) << genShift)
	pool.Put(s)
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
