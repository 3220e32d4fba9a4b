package primitives

import (
	"context"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/actor"
)

// A Cond is where holders of a [Mutex] wait for a condition that others bring about: what
// [sync.Cond] is for, with a context. Waiters are woken in the order in which they came.
// Make a Cond with [NewCond]; the methods of the zero value panic. It must not be copied after
// first use; its methods may be called by any goroutine, holding the mutex or not.
//
// A woken waiter stands in the queue of the mutex from that moment, in the order of the
// signals, and runs only when it has the mutex: it is not woken to wait again. With nobody
// waiting a Signal costs one load; a wait and its signal cost two to three times those of
// sync.Cond, most of it the select with ctx. At rest a Cond costs 48 bytes, no goroutine, and
// needs no Close.
//
// In the terms of the Go memory model, a Signal or Broadcast is synchronized before the
// return of each Wait that it wakes.
//
// Owns: the line of waiters belongs to the keeper, an actor. Takes, in its inbox: new waiters;
// leaving, from waiters whose context has ended; waking. A turn begins when a waiter leaves or is
// to be woken; it runs on the goroutine that wants this, or on the actor's own. So the keeper
// orders the two, and there is no race to win:
//
//	        ┌─────────┐ waking   ┌──────────────────────────┐ granted
//	Wait ──►│ in line │─────────►│ in the queue of the mutex│────────► nil
//	        └─────────┘          └──────────────────────────┘
//	             │ leaving
//	             └──────────► out of it, locks the mutex: the error of ctx
//
// Invariants: I1, a waiter is in the inbox or the line before the mutex is released by its
// Wait. I2, each one leaves the line once, woken or gone. I3, waiting >= those in the line.
type Cond struct {
	_       noCopy
	mutex   *Mutex
	waiting atomic.Int64 // waiters that have not been woken
	inbox   inbox
	line    line // the turn's own
	keeper  actor.Activity
}

// NewCond returns a Cond for holders of m. Any number of them can share one mutex. It panics
// if m is nil.
func NewCond(m *Mutex) *Cond {
	if m == nil {
		panic("primitives: NewCond of a nil Mutex")
	}
	return &Cond{mutex: m}
}

// made panics if c is the zero value.
func (c *Cond) made() {
	if c.mutex == nil {
		panic("primitives: use of a zero Cond: make it with NewCond")
	}
}

// Wait unlocks the mutex, waits to be woken, and locks the mutex again before it returns.
// There is no moment in between at which a Signal could be missed. The caller must hold the
// mutex; if no goroutine does, Wait panics, and has then changed nothing.
//
// Nil: a Signal or Broadcast woke the caller. An error: ctx has ended, and the caller used up no
// Signal; [errors.Is] finds ctx.Err() in it, and its text has the cause of ctx. Either way the
// caller holds the mutex. It waits for it even if ctx has ended, behind all that queued before. If
// ctx is done when Wait is called, it returns at once.
//
// When ctx ends and a Signal comes at the same time, then either the signal came first, and Wait
// returns nil although ctx is done; or it wakes another one. So no signal is lost. As others may
// have held the mutex since the signal, the condition is to be looked at again:
//
//	for !condition {
//		if err := c.Wait(ctx); err != nil {
//			return err
//		}
//	}
func (c *Cond) Wait(ctx context.Context) error {
	c.made()
	if ctx == nil {
		return errNilContext
	}
	if c.mutex.gate.word.Load()&inUse != limit {
		panic("primitives: Wait of Cond whose Mutex is not locked")
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	w := newWaiter(acquiring, limit)
	c.waiting.Add(1)
	if w.bubbled { // as in post of a gate
		c.keeper.Settle()
	}
	c.inbox.push(w)
	c.mutex.Unlock()
	woken := true
	select {
	case <-w.ready: // ctx may be done as well: a signal that came is never given back
	case <-ctx.Done():
		if woken = c.leave(w) == granted; woken {
			<-w.ready
		}
	}
	if woken {
		standIn := w.next
		w.next, standIn.ready = nil, nil
		standIn.free()
	}
	w.free()
	if woken {
		return nil
	}
	lockForever(c.mutex.Lock)
	return contextError(ctx)
}

// Signal wakes the longest waiter, if there is one. It never waits.
func (c *Cond) Signal() { c.wake(1) }

// Broadcast wakes all waiters. They get the mutex one after the other, in the order in
// which they came. It never waits.
func (c *Cond) Broadcast() { c.wake(limit) }

func (c *Cond) wake(n uint64) {
	c.made()
	if c.waiting.Load() == 0 {
		return // a goroutine about to wait still holds the mutex
	}
	c.inbox.push(newMessage(waking, n))
	c.wakeKeeper()
}

// leave has the keeper take w out of the line. The answer is gone, or granted if w had been
// woken before.
func (c *Cond) leave(w *waiter) uint8 {
	m := newWaiter(leaving, 0)
	m.prev = w
	c.inbox.push(m)
	c.wakeKeeper()
	<-m.ready // at once
	answer := m.answer()
	m.free()
	return answer
}

// wakeKeeper has the keeper look at its mail: on the caller's goroutine if the keeper is at rest.
func (c *Cond) wakeKeeper() {
	if !c.keeper.Enter() {
		c.keeper.Wake((*condKeeper)(c))
		return
	}
	c.turn()
	for i := 0; i < extraTurns && c.keeper.Again(); i++ {
		c.turn()
	}
	c.keeper.Leave((*condKeeper)(c))
}

// A condKeeper is a Cond as its Activity sees it, so that Turn is no method of the public type.
type condKeeper Cond

// Turn runs a turn on the keeper's own goroutine. It implements actor.Turner.
func (k *condKeeper) Turn() { (*Cond)(k).turn() }

// turn empties the inbox, oldest first.
func (c *Cond) turn() {
	for w := c.inbox.take(); w != nil; {
		next := w.next // before w is another's
		w.next = nil
		c.receive(w)
		w = next
	}
}

// receive handles one message.
func (c *Cond) receive(m *waiter) {
	switch m.kind() {
	case acquiring:
		c.line.add(m)
	case waking:
		for n := m.permits(); n > 0 && c.line.front != nil; n-- {
			w := c.take(c.line.front)
			// In the queue of the mutex another stands in for w, whose channel it has: so this
			// keeper can always tell whether w is in its line. w keeps it, to free it.
			w.next = newMessage(acquiring, limit)
			w.next.ready = w.ready
			// To the mutex within the turn, so that the order of the signals is that of its queue.
			c.mutex.gate.post(w.next) // from here on neither is ours
		}
		m.free()
	case leaving:
		answer := granted
		if c.line.has(m.prev) {
			c.take(m.prev)
			answer = gone
		}
		m.word, m.prev = uint64(answer), nil
		m.ready <- struct{}{}
	}
}

// take takes w out of the line.
func (c *Cond) take(w *waiter) *waiter {
	c.line.remove(w)
	c.waiting.Add(-1)
	return w
}
