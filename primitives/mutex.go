package primitives

import (
	"context"
	"sync"
)

// A Mutex is a mutual exclusion lock whose Lock takes a context and is granted in the order of
// arrival. The zero value is unlocked. A Mutex must not be copied after first
// use (go vet reports it); its methods may be called by any goroutine.
//
// Lock and Unlock cost one compare-and-swap each while nothing waits, as with [sync.Mutex].
// Otherwise Unlock hands the mutex to the longest waiter; nothing overtakes it, TryLock included.
// At rest it costs 64 bytes, no goroutine, and needs no Close.
//
// A Mutex is not re-entrant and has no owner: a goroutine that locks it twice waits for
// itself until ctx is done, and one goroutine may unlock what another has locked.
//
// In the terms of the Go memory model, the n'th call to Unlock is synchronized before the
// m'th Lock or TryLock that succeeds, for n < m. A call that fails synchronizes nothing.
type Mutex struct {
	_    noCopy
	gate gate
}

// Lock locks m. If it is locked or has a queue, Lock waits at the end of the queue.
//
// Nil: the caller holds m. An error: it does not, and has left the queue; [errors.Is] finds
// ctx.Err() in it, and its text has the cause of ctx. If ctx is done, Lock fails, even
// if m is free or is handed over at that moment; it is then handed on to the next.
//
// Every Unlock before it is synchronized before a Lock that succeeds.
func (m *Mutex) Lock(ctx context.Context) error {
	// A frame of its own for the free mutex: see docs/internals/primitives.md. Whatever is in the way
	// is found again by acquire.
	if ctx != nil && ctx.Err() == nil && m.gate.word.CompareAndSwap(0, limit) { // model: enter
		return nil
	}
	return m.gate.acquire(ctx, locking, limit)
}

// TryLock locks m if it is unlocked and has no queue, and reports whether it did.
// It never waits.
//
// Every Unlock before it is synchronized before a TryLock that succeeds; one that fails
// synchronizes nothing.
func (m *Mutex) TryLock() bool {
	return m.gate.word.CompareAndSwap(0, limit) || m.gate.tryAcquire(limit) // model: enter
}

// Unlock unlocks m, and hands it to the first of its queue, if any. It never waits. It panics if m
// is not locked, and has then changed nothing. It usually also panics if m was just handed to a
// waiter that has not run yet.
//
// It is synchronized before every Lock and TryLock that succeeds after it.
func (m *Mutex) Unlock() {
	if !m.gate.word.CompareAndSwap(limit, 0) { // model: leave
		m.unlockSlow()
	}
}

//go:noinline
func (m *Mutex) unlockSlow() {
	if !m.gate.release(limit) {
		panic("primitives: Unlock of unlocked Mutex")
	}
}

// Locker returns m as a [sync.Locker], for [sync.Cond] and older code. Its Lock waits for as
// long as it takes. It is m itself: what one locks, the other may unlock.
func (m *Mutex) Locker() sync.Locker {
	_ = &m.gate // a nil m panics here, not in the Locker
	return (*mutexLocker)(m)
}

type mutexLocker Mutex

func (l *mutexLocker) Lock()   { lockForever((*Mutex)(l).Lock) }
func (l *mutexLocker) Unlock() { (*Mutex)(l).Unlock() }

// lockForever calls a Lock method with a context that never ends, so that it cannot fail.
func lockForever(lock func(context.Context) error) {
	if err := lock(context.Background()); err != nil {
		panic("primitives: bug: a lock without end failed: " + err.Error())
	}
}

// noCopy makes go vet report copies of the struct that holds it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
